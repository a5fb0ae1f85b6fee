"""What a stranger is answered: small pages that say what is asked, and what to set."""

import html
from urllib.parse import quote

from app.doors.crowd import MOST, MOST_OF_A_VISIT

_FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>fnprune</title>
<style>:root{{color-scheme:light dark}}
body{{font:1rem/1.6 system-ui,sans-serif;max-width:34rem;margin:14vh auto;padding:0 1.2rem}}
h1{{font-size:1.25rem;font-weight:600}}code{{font-size:.9em;overflow-wrap:anywhere}}
input,button,a.go{{font:inherit;padding:.45rem .7rem;border:1px solid #8888;border-radius:5px}}
button,a.go{{background:#1f6f50;color:#fff;border-color:#1f6f50;text-decoration:none}}
input{{width:20rem;max-width:100%;box-sizing:border-box}}form{{margin:1.2rem 0}}</style>
</head><body><h1>{title}</h1>{body}</body></html>"""


def _page(title: str, body: str) -> str:
    return _FRAME.format(title=html.escape(title), body=body)


def token_page(
    *, enter: str, target: str, is_wrong: bool, logins: dict[str, str], refused: str = ""
) -> str:
    """Return the page that asks for the token, or offers to log in.

    Parameters
    ----------
    enter : str
        Where the form is sent.
    target : str
        The path that was asked for, and is opened afterwards.
    is_wrong : bool
        Whether a token came that is not the server's.
    logins : dict of str to str
        Addresses that begin a login, by the provider's name.
    refused : str, optional
        Who has logged in and may not enter.
    """
    parts = []
    if refused:
        parts.append(
            f"<p><b>{html.escape(refused)} may not enter here.</b> Who runs the server can add you "
            "with <code>--allow-user</code>.</p>"
        )
    for name, address in logins.items():
        label = "Log in" if name == "default" else f"Log in with {name}"
        parts.append(f'<p><a class="go" href="{html.escape(address)}">{html.escape(label)}</a></p>')
    if is_wrong:
        parts.append("<p><b>That is not this server’s token.</b></p>")
    parts.append(
        "<p>This workbench is not open to everyone on the network. The token stands in the link "
        "that the server printed when it started, or is what <code>FNPRUNE_TOKEN</code> was set "
        f'to.</p><form method="post" action="{html.escape(enter)}">'
        f'<input type="hidden" name="next" value="{html.escape(target)}">'
        '<input type="password" name="fnprune_token" aria-label="Token" placeholder="Token" '
        'required autocomplete="current-password" autofocus> <button>Enter</button></form>'
    )
    return _page("fnprune asks who is there", "".join(parts))


def unknown_name(name: str) -> str:
    """Return the page for a person who comes by a host name that the server was not told of."""
    shown = html.escape(name) or "(none)"
    option = html.escape(quote(name, safe=".-:[]*")) or "NAME"
    return _page(
        "fnprune does not know this name",
        f"<p>You asked for <code>{shown}</code>, and the server was not told that people reach it "
        "by that name. It answers no other name, so that a web page elsewhere cannot point a name "
        "of its own at this machine.</p><p>If the server is yours, start it with</p>"
        f"<p><code>fnprune app --allow-host {option}</code></p><p>or set "
        f"<code>FNPRUNE_ALLOW_HOST={option}</code>. It then asks for a token, which it prints.</p>",
    )


def too_many_tabs() -> str:
    """Return the page for one more tab than the server keeps open."""
    return _page(
        "Too many tabs are open",
        f"<p>fnprune keeps at most {MOST_OF_A_VISIT} tabs of one browser open, and {MOST} of all. "
        "Close one and reload this page; what runs goes on.</p>",
    )


def another_page() -> str:
    """Return the page for what a page of another server asked for."""
    return _page(
        "fnprune gives this to its own pages only",
        "<p>A page of another server asked for it. Open the workbench itself.</p>",
    )


def from_elsewhere(name: str) -> str:
    """Return the page for a request from another machine or a proxy at a server without token."""
    option = html.escape(quote(name, safe=".-:[]*")) or "NAME"
    return _page(
        "fnprune is open to its own machine only",
        "<p>This request came from another machine or through a proxy, and the server was started "
        "for its own machine, without a token. If it is yours and is to be shared, start it "
        f"with</p><p><code>fnprune app --allow-host {option}</code></p><p>behind a proxy, or with "
        "<code>fnprune app --address 0.0.0.0</code>. It then asks for a token, and prints it.</p>",
    )
