"""axe-core on a page: what a screen reader or a keyboard could not use."""

from axe_playwright_python.sync_playwright import Axe


def violations(page) -> list[str]:
    """Serious and critical violations on a page (without its frames), one line each."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['impact']} {one['id']}: {one['help']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
