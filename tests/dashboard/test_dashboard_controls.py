"""The page breaks the cluster and heals it: what it does is done, is seen, and can be repeated from a file."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Page, expect

from atoll import Cluster
from chaos import scenario
from chaos.faults import Cut

EAST, WEST = "us-east-1", "eu-west-1"
expect.set_options(timeout=60_000)


def put(cluster: Cluster, region: str, key: str) -> None:
    cluster.call(region, "PutItem", {"TableName": "orders", "Item": {"id": {"S": key}}})


def test_a_link_cut_on_the_page_shows_cut_its_queue_grows_and_the_heal_converges(page: Page, cluster: Cluster) -> None:
    name = f"{EAST}->{WEST}"
    page.locator(f'#map-stage [data-name="{name}"]').click()
    page.get_by_role("button", name="Cut it, without a word (black hole)").click()
    expect(page.locator(f'#matrix [data-name="{name}"]')).to_have_text("CUT")
    expect(page.locator(f'#map-stage [data-name="{name}"]')).to_contain_text("CUT")
    expect(page.locator("#in-force")).to_contain_text(f"cut {name} (mode blackhole)")
    expect(page.locator("#in-force pre").first).to_contain_text("atoll fault")
    for n in range(7):
        put(cluster, EAST, f"waits-{n}")
    expect(page.locator(f'#matrix td:has([data-name="{name}"]) small')).to_contain_text("7 behind")
    expect(page.locator("#headline")).to_contain_text("diverged")
    expect(page.locator("#timeline .fault-mark")).not_to_have_count(0)
    page.get_by_role("button", name="Heal everything").click()
    expect(page.locator("#headline")).to_contain_text("converged")
    expect(page.locator("#in-force")).to_contain_text("the weather is fair")
    assert cluster.faults() == []
    cluster.wait_converged("orders")


def test_the_form_applies_a_fault_with_its_numbers_and_it_can_be_healed_alone(page: Page, cluster: Cluster) -> None:
    form = page.locator("#fault-form")
    form.locator("[name=kind]").select_option("delay")
    form.locator("[name=link]").select_option(f"{WEST}->{EAST}")
    form.locator("[name=ms]").fill("120")
    form.get_by_role("button", name="Apply").click()
    expect(page.locator("#in-force")).to_contain_text("ms 120")
    (standing,) = cluster.faults()
    assert standing.fault["ms"] == 120
    page.locator("#in-force").get_by_role("button", name="Heal").click()
    expect(page.locator("#in-force")).to_contain_text("the weather is fair")
    assert cluster.faults() == []


def test_a_lossy_link_shows_its_loss_on_the_map_as_a_figure(page: Page, cluster: Cluster) -> None:
    name = f"{WEST}->{EAST}"
    page.locator(f'#map-stage [data-name="{name}"]').press("Enter")
    page.get_by_role("button", name="Lose connections: one in three attempts").click()
    expect(page.locator(f'#map-stage [data-name="{name}"] .struck')).to_have_text("33 % lost")
    expect(page.locator(f'#matrix td:has([data-name="{name}"]) small')).to_contain_text("33 % lost")
    expect(page.locator("#map-stage .struck")).to_have_count(1)
    cluster.heal()
    expect(page.locator("#map-stage .struck")).to_have_count(0)


def test_a_region_killed_on_the_page_is_gone_and_comes_back_with_the_heal(page: Page, cluster: Cluster) -> None:
    page.locator(f'#map-stage .node[data-name="{WEST}"]').click()
    page.get_by_role("button", name="Kill it").click()
    expect(page.locator("#headline")).to_contain_text(f"{WEST} does not answer")
    page.get_by_role("button", name="Heal everything").click()
    expect(page.locator("#headline")).to_contain_text("converged")
    assert cluster.running(WEST)


def test_a_session_is_recorded_as_an_experiment_file(page: Page, address: str, cluster: Cluster) -> None:
    page.get_by_role("button", name="Record this session").click()
    page.get_by_role("button", name="One-way cut").click()
    expect(page.locator("#in-force")).to_contain_text("mode data")
    page.get_by_role("button", name="Heal everything").click()
    expect(page.locator("#in-force")).to_contain_text("the weather is fair")
    page.get_by_role("button", name="End recording").click()
    expect(page.get_by_role("button", name="Record this session")).to_be_visible()
    experiment = scenario.parse(urlopen(address + "recording").read().decode(), "recorded.toml")
    (fault,) = experiment.faults
    assert isinstance(fault, Cut)
    assert (fault.mode, fault.link) == ("data", f"{EAST}->{WEST}")
    assert fault.for_ms
    assert experiment.regions == cluster.regions


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json", "Origin": "http://evil.example"}, 403),
        ({"Content-Type": "application/json", "Host": "evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_a_control_is_taken_from_the_page_alone(address: str, headers: dict[str, str], status: int) -> None:
    request = Request(address + "control/heal", data=b"{}", headers=headers, method="POST")
    with pytest.raises(HTTPError) as refused:
        urlopen(request)
    refused.value.close()
    assert refused.value.code == status


def test_a_fault_that_makes_no_sense_is_refused_in_words(address: str) -> None:
    body = b'{"kind": "cut", "link": "atlantis->us-east-1"}'
    request = Request(address + "control/faults", data=body, headers={"Content-Type": "application/json"})
    with pytest.raises(HTTPError) as refused:
        urlopen(request)
    with refused.value as answer:
        assert "there is no region atlantis" in answer.read().decode()
