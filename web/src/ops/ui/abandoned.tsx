// Tasks that outlived their owner: on top of everything, as long as there are any.

import type { JSX } from "preact";
import { canceller } from "../client/places";
import { useOps, useView } from "./context";
import { Icon } from "./icons";
import { Place } from "./place";
import { Stack } from "./stack";

export function Abandoned(): JSX.Element | null {
  const { t, age } = useOps();
  const tasks = useView((view) => view.server?.abandoned) ?? [];
  const total = useView((view) => view.server?.abandoned_total) ?? 0;
  const since = useView((view) => (tasks.length > 0 ? Math.floor(view.now - view.abandonedAt) : 0));
  if (tasks.length === 0) return null;
  const earlier = total - tasks.length;
  return (
    <section class="card abandoned" aria-labelledby="abandoned-title" data-testid="abandoned">
      <h2 id="abandoned-title">
        <Icon name="warning" />
        {t("abandoned.title", { n: tasks.length })}
      </h2>
      <p>{t("abandoned.text")}</p>
      {earlier > 0 && <p>{t("abandoned.earlier", { n: earlier })}</p>}
      <ul>
        {tasks.map((task) => (
          <li key={task.id} data-testid="abandoned-task">
            <div class="abandoned-head">
              <strong>{task.name}</strong>
              <span>{age(task.age_s + since)}</span>
            </div>
            <dl>
              <dt>{t("task.owner")}</dt>
              <dd>
                <Place text={task.owner} />
              </dd>
              <dt>{t("task.started-at")}</dt>
              <dd>
                <Place text={task.site} />
              </dd>
              <dt>{t("task.who-cancelled")}</dt>
              <dd>
                <Place text={task.cancelled_by === null ? t("task.nobody") : canceller(task.cancelled_by)} />
              </dd>
            </dl>
            <Stack task={task.id} name={task.name} />
          </li>
        ))}
      </ul>
    </section>
  );
}
