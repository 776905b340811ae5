"""The pictures of the documents are of the real page; ``ATOLL_PICTURES=docs/images`` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from atoll import Cluster

EAST, WEST, TOKYO = "us-east-1", "eu-west-1", "ap-northeast-1"
expect.set_options(timeout=60_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_drawn_whole_in_light_and_in_dark(
    browser: Browser, address: str, cluster: Cluster, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    folder = Path(os.environ.get("ATOLL_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)
    page.goto(address)
    page.locator("#matrix table").wait_for()
    cluster.apply({"kind": "cut", "link": f"{EAST}->{TOKYO}"})
    cluster.apply({"kind": "cut", "link": f"{TOKYO}->{EAST}"})
    expect(page.locator(f'#matrix [data-name="{EAST}->{TOKYO}"]')).to_have_text("CUT")
    for region in (EAST, TOKYO):
        item = {"id": {"S": f"order-{scheme}"}, "state": {"S": f"taken in {region}"}}
        cluster.call(region, "PutItem", {"TableName": "orders", "Item": item})
    cluster.laboratory.standing.end(cluster.faults()[0].number)
    page.locator("#conflicts tbody button", has_text=f"order-{scheme}").first.click()
    expect(page.locator("#inspector svg")).to_be_visible()
    page.wait_for_function("() => document.querySelectorAll('#lag-chart .u-legend .u-series').length > 3")
    page.evaluate("window.scrollTo(0, 0)")
    picture = folder / f"dashboard-{scheme}.png"
    page.screenshot(path=picture, full_page=True)
    page.close()
    cluster.heal()
    assert picture.stat().st_size > 50_000
