"""The site as it is read: links lead somewhere, nothing comes from a network, nothing is cut at 1400 and 420 pixels."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}
WIDTHS = (1400, 420)
HARNESS = """<body style="margin:0"><script>
const pages = %s, widths = %s, cut = [];
function wide(frame, width) {
  const page = frame.contentDocument, content = page.querySelector(".md-content");
  const parts = [...content.querySelectorAll("p, pre, table, img, h1, h2, h3, li, svg")].filter(part => {
    const box = part.getBoundingClientRect(), scroll = part.closest(".md-typeset__scrollwrap, .scroll, pre");
    return box.width && box.right > width + 1 && (!scroll || scroll === part);
  });
  const cut = parts.length || page.documentElement.scrollWidth > width + 1;
  return cut ? parts.slice(0, 2).map(part => part.outerHTML) : null;
}
async function look() {
  for (const width of widths) for (const page of pages) {
    const frame = document.createElement("iframe");
    frame.style = `border:0;width:${width}px;height:900px`;
    frame.src = page;
    await new Promise(done => { frame.onload = done; document.body.append(frame); });
    const found = wide(frame, width);
    if (found) cut.push([page, width, found]);
    frame.remove();
  }
  document.body.innerHTML = `<pre id="cut"></pre>`;
  document.getElementById("cut").textContent = JSON.stringify(cut);
}
look();
</script></body>"""


class Page(HTMLParser):
    """Anchors of a page, its links, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors, self.links, self.loaded = set[str](), list[str](), list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := named.get(key))}
        if tag == "a" and (link := named.get("href")):
            self.links.append(link)
        if tag in LOADED and (source := named.get(LOADED[tag])) and named.get("rel") != "canonical":
            self.loaded.append(source)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly."""
    made = tmp_path_factory.mktemp("site")
    surroundings = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(made)]
    subprocess.run(command, cwd=ROOT, env=surroundings, check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page by its file."""
    found = [path for path in sorted(site.rglob("*.html")) if path.name != "404.html"]
    return {path: Page(path.read_text(encoding="utf-8")) for path in found}


@pytest.mark.slow
def test_no_link_leads_nowhere(pages: dict[Path, Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            known = target not in pages or not parts.fragment or unquote(parts.fragment) in pages[target].anchors
            if not target.is_file() or not known:
                lost.append((path.name, link))
    assert len(pages) > 40 and not lost


@pytest.mark.slow
def test_pages_are_read_without_a_network(pages: dict[Path, Page]) -> None:
    assert not [
        (path.name, source) for path, page in pages.items() for source in page.loaded if urlsplit(source).netloc
    ]


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="draws in a browser")
def test_nothing_is_cut(site: Path, pages: dict[Path, Page]) -> None:
    named = json.dumps([str(path.relative_to(site)) for path in pages])
    (site / "widths.html").write_text(HARNESS % (named, json.dumps(WIDTHS)), encoding="utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--allow-file-access-from-files",
        "--window-size=1400,900",
    ]
    command = [str(BROWSER), *options, "--virtual-time-budget=600000", "--dump-dom", f"file://{site}/widths.html"]
    drawn = subprocess.run(command, capture_output=True, text=True, timeout=500, check=True).stdout
    found = re.search(r'<pre id="cut">(.*?)</pre>', drawn, re.DOTALL)
    assert found, drawn[-500:]
    assert json.loads(html.unescape(found[1])) == []
