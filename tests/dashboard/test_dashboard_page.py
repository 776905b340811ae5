"""The page shows what the cluster does, in a real browser: states, conflicts, regions that are gone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from atoll import Cluster

EAST, WEST, TOKYO = "us-east-1", "eu-west-1", "ap-northeast-1"
WAIT_MS = 60_000
expect.set_options(timeout=WAIT_MS)


def put(cluster: Cluster, region: str, key: str, **attributes: str) -> None:
    item = {"id": {"S": key}, **{name: {"S": value} for name, value in attributes.items()}}
    cluster.call(region, "PutItem", {"TableName": "orders", "Item": item})


def test_the_page_says_that_the_replicas_are_equal_and_draws_every_link(page: Page) -> None:
    expect(page.locator("#headline")).to_contain_text("converged")
    expect(page.locator("#connection")).to_contain_text("connected")
    expect(page.locator("#map-stage .link")).to_have_count(6)
    expect(page.locator("#matrix tbody td button")).to_have_count(6)


def test_a_paused_link_is_held_in_the_map_and_in_the_matrix_until_it_is_resumed(page: Page, cluster: Cluster) -> None:
    cluster.pause(f"{EAST}->{WEST}")
    link = page.locator(f'#map-stage [data-name="{EAST}->{WEST}"]')
    expect(page.locator(f'#matrix [data-name="{EAST}->{WEST}"]')).to_have_text("paused")
    expect(link).to_contain_text("paused")
    for n in range(5):
        put(cluster, EAST, f"held-{n}")
    expect(page.locator(f'#matrix td:has([data-name="{EAST}->{WEST}"]) small')).to_contain_text("5 behind")
    expect(page.locator("#headline")).to_contain_text("diverged")
    cluster.resume(f"{EAST}->{WEST}")
    expect(page.locator(f'#matrix [data-name="{EAST}->{WEST}"]')).to_have_text("live")
    expect(page.locator("#headline")).to_contain_text("converged")


def test_a_conflict_appears_in_the_feed_with_winner_loser_and_what_was_lost(page: Page, cluster: Cluster) -> None:
    cluster.pause(TOKYO)
    put(cluster, EAST, "contested", state="shipped", carrier="blue")
    put(cluster, TOKYO, "contested", state="cancelled")
    cluster.resume(TOKYO)
    cluster.wait_converged("orders")
    (entry,) = [it for it in cluster.admin(WEST).conflicts() if it["item_key"]["id"]["S"] == "contested"]
    row = page.locator("#conflicts tbody tr", has_text="contested").first
    expect(row).to_contain_text(", ".join(entry["attributes_lost"]))
    expect(row.locator("td").nth(3)).to_have_text(entry["winner"]["origin"])
    expect(row.locator("td").nth(4)).to_contain_text(entry["loser"]["origin"])


def test_a_conflict_opens_in_the_inspector_with_all_regions_side_by_side_and_its_history(
    page: Page, cluster: Cluster
) -> None:
    cluster.pause(TOKYO)
    put(cluster, EAST, "split", state="here")
    put(cluster, TOKYO, "split", state="there")
    page.locator("#inspect [name=table]").fill("orders")
    page.locator("#inspect [name=key]").fill("split")
    page.get_by_role("button", name="Look").click()
    inspector = page.locator("#inspector")
    expect(inspector).to_contain_text("1 attributes differ")
    expect(inspector.locator("mark", has_text="≠ there")).to_have_count(1)
    cluster.resume(TOKYO)
    cluster.wait_converged("orders")
    page.locator("#conflicts tbody button", has_text="split").first.click()
    expect(inspector).to_contain_text("equal in every region")
    expect(inspector.locator(".side")).to_have_count(3)
    expect(inspector.locator("svg text", has_text="✗").first).to_be_visible()


def test_a_region_that_is_gone_is_crossed_out_and_its_links_are_cut(page: Page, cluster: Cluster) -> None:
    cluster.kill(WEST)
    try:
        expect(page.locator("#headline")).to_contain_text(f"{WEST} does not answer")
        expect(page.locator(f'#matrix [data-name="{EAST}->{WEST}"]')).to_have_text("CUT")
        expect(page.locator(f'#map-stage .node[data-name="{WEST}"]')).to_contain_text("✗")
    finally:
        cluster.restart(WEST)
    expect(page.locator("#headline")).to_contain_text("converged")


def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.locator(f'#map-stage [data-name="{EAST}->{WEST}"]').focus()
    page.keyboard.press("Enter")
    expect(page.locator("#menu")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#menu")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, address: str, axe: str, scheme: str) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type]  # One of two.
    page.goto(address)
    page.locator("#matrix table").wait_for()
    page.evaluate(axe)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    page.close()
    serious = [it for it in found["violations"] if it["impact"] in ("serious", "critical")]
    assert serious == [], [(it["id"], [node["html"] for node in it["nodes"]][:3]) for it in serious]
