"""`/login`: one small page where a visitor shows a token, and gets a session. Works without JavaScript."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from urllib.parse import quote

from starlette.datastructures import Headers

STYLE = """
:root{color-scheme:light dark;--ground:light-dark(#f4f3ed,#111613);--card:light-dark(#fff,#1a211d);
--ink:light-dark(#1d2420,#e8ece7);--faint:light-dark(#5b665f,#9aa79f);--line:light-dark(#d5d8d0,#38423c);
--go:light-dark(#1f6b4a,#7fd0a6);--on-go:light-dark(#fff,#0d1a13);--bad:light-dark(#a3271d,#ff9d92)}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--ground);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif;padding:1rem}
main{width:100%;max-width:24rem;background:var(--card);border:1px solid var(--line);border-radius:1rem;padding:2rem}
h1{font-size:1.375rem;margin:0 0 .5rem}
p{margin:0 0 1.25rem;color:var(--faint)}
p[role=alert]{color:var(--bad)}
label{display:block;font-weight:600;margin-bottom:.375rem}
input{width:100%;font:inherit;padding:.625rem .75rem;border:1px solid var(--faint);border-radius:.5rem;
background:var(--ground);color:inherit}
button{width:100%;font:inherit;font-weight:600;margin-top:1rem;padding:.6875rem;border:0;border-radius:.5rem;
background:var(--go);color:var(--on-go);cursor:pointer}
:focus-visible{outline:3px solid var(--go);outline-offset:2px}
"""
_STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

TEXTS = {
    "en": {
        "lang": "en",
        "title": "Log in · Greenroom",
        "heading": "Log in",
        "intro": "This server lets in those who have a token. Its owner can give you one.",
        "intro-ops": "This part is for whoever runs the server. It asks for the ops token.",
        "label": "Token",
        "button": "Log in",
        "wrong-token": "That is not a token of this server. Look at it again, character by character.",
        "too-many-attempts": "Too many wrong tokens came from your address. Wait {seconds} seconds.",
        "ops": "That token is a visitor's. This part asks for the ops token.",
    },
    "zh": {
        "lang": "zh-CN",
        "title": "登录 · Greenroom",
        "heading": "登录",
        "intro": "持有令牌的人才能进入本服务器。请向服务器的主人索取令牌。",
        "intro-ops": "这一部分供服务器的管理者使用，需要运维令牌。",
        "label": "令牌",
        "button": "登录",
        "wrong-token": "这不是本服务器的令牌。请逐个字符再核对一次。",
        "too-many-attempts": "来自您的地址的错误令牌太多。请等待 {seconds} 秒。",
        "ops": "这是访客令牌。这一部分需要运维令牌。",
    },
}


def language_of(headers: Headers) -> str:
    """`zh` if the browser prefers Chinese to English, else `en`."""
    for item in headers.get("accept-language", "").lower().split(",")[:20]:
        name = item.partition(";")[0].strip()
        if name.startswith(("zh", "en")):
            return name[:2]
    return "en"


def login_page(language: str, after: str, *, problem: str = "", seconds: int = 0, ops: bool = False) -> bytes:
    """The page's HTML. `problem` is a code out of TEXTS, `after` where to go when the token is right."""
    texts = TEXTS[language]
    said = f'<p role="alert" id="problem">{texts[problem].format(seconds=seconds)}</p>' if problem else ""
    described = ' aria-describedby="problem" aria-invalid="true"' if problem else ""
    return f"""<!doctype html>
<html lang="{texts["lang"]}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>{texts["title"]}</title><style>{STYLE}</style></head>
<body><main><h1>{texts["heading"]}</h1><p>{texts["intro-ops" if ops else "intro"]}</p>{said}
<form method="post" action="login"><input type="hidden" name="next" value="{escape(after, quote=True)}">
<input name="username" autocomplete="username" value="greenroom" hidden>
<label for="token">{texts["label"]}</label>
<input id="token" name="token" type="password" autocomplete="current-password" spellcheck="false" required
 autofocus{described}><button type="submit">{texts["button"]}</button></form></main></body></html>
""".encode()


def bounce_page(address: str) -> bytes:
    """A page that goes on to `address` by itself: a step that the browser sees as this site's own.

    A session's cookie is not sent on a step that another site began, nor on redirects of such a step.
    """
    place = escape(address, quote=True)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Greenroom</title>'
        f'<meta http-equiv="refresh" content="0;url={place}"></head><body><a href="{place}">…</a></body></html>'
    ).encode()


def safe_next(text: str) -> str:
    """A place of this server to go to, relative to `/`; what could lead elsewhere leads to the start."""
    if len(text) > 2000 or not text.isprintable() or text.startswith(("/", "\\")) or "\\" in text:
        return ""
    if ".." in text.partition("?")[0].split("/"):
        return ""
    return quote(text, safe="/?&=%._~+-,;:@!$'()*")


def up_from(path: str) -> str:
    """The relative address of `/` for a page at `path`: the server may live under a prefix of a proxy's."""
    return "../" * (path.count("/") - 1) or "./"
