"""Width of whole pages in a browser: nothing sticks out of a telephone's screen, where tables scroll by themselves."""

import html
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spi_lightning.codec import save
from spi_lightning.files import write_json
from spi_lightning.reports import write_evaluation_report
from spi_lightning.reports.phasing.page import write_phasing_report
from spi_lightning.reports.runs import compare_runs, write_outputs
from tests.reports.phasing.test_page import phased
from tests.reports.runs.test_comparison import sweep

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="draws in a browser, Chromium")
FRAME = """<iframe width={width} height=900 style="border:0" srcdoc="{page}"></iframe><script>
onload = () => {{
  const inside = document.querySelector("iframe").contentDocument.documentElement;
  document.title = "width " + inside.scrollWidth + " of " + inside.clientWidth;
}}
</script>"""


def widths(page: Path, width: int) -> tuple[int, int]:
    """Width of a page and of the window in which it stands, pixel; a frame may be narrower than Chromium."""
    outer = page.with_name("outer.html")
    outer.write_text(FRAME.format(width=width, page=html.escape(page.read_text())))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1500,1000", "--dump-dom"]
    made = subprocess.run([*command, outer.as_uri()], capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r"<title>width (\d+) of (\d+)", made)
    assert found is not None
    return int(found[1]), int(found[2])


def phasing_page(folder: Path, ndim: int) -> Path:
    save(folder / "phasing.h5", phased(5, ndim=ndim))
    write_json(folder / "metrics.json", {"prtf/crossing": 0.25, "prtf/resolution_nm": 4.0})
    return write_phasing_report(folder)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["plane", "volume", "comparison", "hits"])
def test_no_page_is_wider_than_its_window(tmp_path: Path, kind: str, make_evaluation: Callable[..., Path]) -> None:
    if kind == "comparison":
        sweep(tmp_path / "sweep", 12, key="simulate.a_setting_with_a_long_name_indeed")
        page = write_outputs(compare_runs([tmp_path]), [tmp_path / "page.html"])[0]
    elif kind == "hits":
        page = write_evaluation_report(make_evaluation(label=np.arange(40) % 2))
        page = page.rename(tmp_path / page.name)
    else:
        page = phasing_page(tmp_path, 2 if kind == "plane" else 3)
    for width in (420, 1400):
        assert (found := widths(page, width))[0] <= found[1] <= width, found
