"""README's pictures show what keyroll prints and draws today."""

import re
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).parents[2]


def test_the_pictures_were_drawn_from_their_current_inputs() -> None:
    words = [sys.executable, str(TREE / "docs" / "pictures" / "draw.py"), "--check"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_readme_begins_with_both_pictures() -> None:
    text = (TREE / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"docs/pictures/[a-z]+-[0-9a-f]+\.(?:png|svg)", text)
    assert {Path(name).suffix for name in shown} == {".png", ".svg"}
    assert all((TREE / name).is_file() for name in shown)
