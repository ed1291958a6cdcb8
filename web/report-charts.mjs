// Puts the charts of `greenroom soak --report` into the Python package: a report is one file that needs no network,
// so the library stands in it whole. It is the one the ops page uses, as npm installed it, with its licence.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const library = new URL("./node_modules/uplot/", import.meta.url);
const target = new URL("../src/greenroom/lab/report/built/", import.meta.url);
const read = (name) => readFileSync(new URL(name, library), "utf8").trim();

const notice = `/*!\n${read("LICENSE")}\n*/\n`;
mkdirSync(target, { recursive: true });
writeFileSync(new URL("uplot.js", target), `${notice}${read("dist/uPlot.iife.min.js")}\n`);
writeFileSync(new URL("uplot.css", target), `${notice}${read("dist/uPlot.min.css")}\n`);
