from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.errors import (
    BundleDamagedError,
    BundleNotFoundError,
    NotReadyError,
    SelfTestError,
    UtteranceError,
)
from edge_runtime.holder import HolderState, ModelHolder, follow_offers
from edge_runtime.offers import offer_bundle, read_offers

SERVING = HolderState(status="serving", name="tiny", version="1.0.0", variant="int8")


@pytest.fixture
def holder() -> Iterator[ModelHolder]:
    holder = ModelHolder()
    yield holder
    holder.close()


@pytest.fixture
def failing_bundle(tmp_path: Path, make_tiny_bundle: Callable[..., Path]) -> Path:
    """An intact bundle whose model does not answer as its golden samples say."""
    return make_tiny_bundle(tmp_path / "failing", version="2.0.0", golden_offset=-0.1)


@pytest.fixture
def follow(holder: ModelHolder) -> Iterator[Callable[[Path], None]]:
    """Follow the offers of a folder in a thread until the test ends."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def start(folder: Path) -> None:
        thread = threading.Thread(
            target=follow_offers, args=(holder, folder), kwargs={"stop": stop, "seconds": 0.01}
        )
        thread.start()
        threads.append(thread)

    yield start
    stop.set()
    for thread in threads:
        thread.join()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something that another thread does has happened; pytest-timeout ends it."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)


def test_a_new_holder_waits(holder: ModelHolder) -> None:
    assert holder.state == HolderState(status="waiting")
    with pytest.raises(NotReadyError, match="waiting for a bundle"):
        holder.classify("lights on")


def test_a_good_bundle_is_served(holder: ModelHolder, tiny_bundle: Path) -> None:
    assert holder.swap(tiny_bundle) == SERVING
    assert holder.state == SERVING
    assert holder.classify("lights on").intent == "lights_on"


def test_a_newer_bundle_takes_the_place_of_the_old(
    holder: ModelHolder, tiny_bundle: Path, tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    holder.swap(tiny_bundle)
    holder.swap(make_tiny_bundle(tmp_path / "newer", version="1.1.0"))
    assert holder.state.version == "1.1.0"
    assert holder.classify("lights on").intent == "lights_on"


def test_a_damaged_bundle_is_refused_and_the_old_one_stays(
    holder: ModelHolder, tiny_bundle: Path, tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    holder.swap(tiny_bundle)
    damaged = make_tiny_bundle(tmp_path / "damaged", version="2.0.0")
    (damaged / "tokenizer.json").write_bytes(b"")
    with pytest.raises(BundleDamagedError):
        holder.swap(damaged)
    assert holder.state.status == "degraded"
    assert holder.state.version == "1.0.0"
    assert "tokenizer.json is damaged" in (holder.state.error or "")
    assert holder.classify("lights on").intent == "lights_on"


def test_a_bundle_that_fails_its_self_test_is_refused(
    holder: ModelHolder, tiny_bundle: Path, failing_bundle: Path
) -> None:
    holder.swap(tiny_bundle)
    with pytest.raises(SelfTestError):
        holder.swap(failing_bundle)
    assert holder.state.status == "degraded"
    assert holder.state.version == "1.0.0"


def test_a_first_bundle_that_is_refused_leaves_the_holder_waiting_with_the_reason(
    holder: ModelHolder, failing_bundle: Path
) -> None:
    with pytest.raises(SelfTestError):
        holder.swap(failing_bundle)
    assert holder.state.status == "waiting"
    with pytest.raises(NotReadyError, match="fails its self-test"):
        holder.classify("lights on")


def test_a_good_bundle_ends_a_degraded_state(
    holder: ModelHolder, tiny_bundle: Path, failing_bundle: Path
) -> None:
    holder.swap(tiny_bundle)
    with pytest.raises(SelfTestError):
        holder.swap(failing_bundle)
    assert holder.swap(tiny_bundle) == SERVING


def test_a_manifest_that_was_not_offered_is_refused(holder: ModelHolder, tiny_bundle: Path) -> None:
    with pytest.raises(BundleDamagedError, match="not the manifest that was offered"):
        holder.swap(tiny_bundle, manifest_sha256="0" * 64)


def test_an_offered_bundle_that_is_gone_is_refused(holder: ModelHolder, tmp_path: Path) -> None:
    with pytest.raises(BundleNotFoundError):
        holder.swap(tmp_path / "gone", manifest_sha256="0" * 64)


def test_the_wanted_variant_is_loaded(tiny_bundle: Path) -> None:
    holder = ModelHolder(variant="fp32")
    assert holder.swap(tiny_bundle).variant == "fp32"
    holder.close()


def test_a_bad_text_leaves_the_state_alone(holder: ModelHolder, tiny_bundle: Path) -> None:
    holder.swap(tiny_bundle)
    with pytest.raises(UtteranceError):
        holder.classify("")
    assert holder.state == SERVING


def test_a_closed_holder_waits(holder: ModelHolder, tiny_bundle: Path) -> None:
    holder.swap(tiny_bundle)
    holder.close()
    assert holder.state == HolderState(status="waiting")
    with pytest.raises(NotReadyError):
        holder.classify("lights on")


def test_questions_from_many_threads_are_answered_through_swaps(
    holder: ModelHolder, tiny_bundle: Path, tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    newer = make_tiny_bundle(tmp_path / "newer", version="1.1.0")
    holder.swap(tiny_bundle)
    intents: list[str | None] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            intents.extend(answer.intent for answer in holder.classify_many(["rain", "song"]))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for bundle in (newer, tiny_bundle, newer):
        holder.swap(bundle)
    done.set()
    for thread in threads:
        thread.join()
    assert set(intents) == {"weather", "play_music"}


def test_an_offer_is_followed_even_into_a_folder_that_comes_later(
    holder: ModelHolder, tiny_bundle: Path, tmp_path: Path, follow: Callable[[Path], None]
) -> None:
    follow(tmp_path / "offers")
    offer_bundle(tiny_bundle, tmp_path / "offers")
    wait_for(lambda: holder.state == SERVING)
    assert holder.classify("lights on").intent == "lights_on"


def test_a_renewed_offer_swaps(
    holder: ModelHolder,
    tiny_bundle: Path,
    tmp_path: Path,
    make_tiny_bundle: Callable[..., Path],
    follow: Callable[[Path], None],
) -> None:
    offers = tmp_path / "offers"
    offer_bundle(tiny_bundle, offers)
    follow(offers)
    wait_for(lambda: holder.state == SERVING)
    offer_bundle(make_tiny_bundle(tmp_path / "newer", version="1.1.0"), offers)
    wait_for(lambda: holder.state.version == "1.1.0")


def test_a_refused_offer_degrades_and_a_good_one_mends(
    holder: ModelHolder,
    tiny_bundle: Path,
    tmp_path: Path,
    failing_bundle: Path,
    follow: Callable[[Path], None],
) -> None:
    offers = tmp_path / "offers"
    offer_bundle(tiny_bundle, offers)
    follow(offers)
    wait_for(lambda: holder.state == SERVING)
    offer_bundle(failing_bundle, offers)
    wait_for(lambda: holder.state.status == "degraded")
    assert holder.state.version == "1.0.0"
    offer_bundle(tiny_bundle, offers)
    wait_for(lambda: holder.state == SERVING)


def test_a_file_that_is_no_offer_degrades(
    holder: ModelHolder, tiny_bundle: Path, tmp_path: Path, follow: Callable[[Path], None]
) -> None:
    offers = tmp_path / "offers"
    offer_bundle(tiny_bundle, offers)
    follow(offers)
    wait_for(lambda: holder.state == SERVING)
    (offers / "tiny.json").write_text("{}", encoding="utf-8")
    wait_for(lambda: holder.state.status == "degraded")
    assert "is not an offer" in (holder.state.error or "")


def test_of_two_models_the_newest_offer_is_served(
    holder: ModelHolder,
    tiny_bundle: Path,
    tmp_path: Path,
    make_tiny_bundle: Callable[..., Path],
    follow: Callable[[Path], None],
) -> None:
    offers = tmp_path / "offers"
    offer_bundle(make_tiny_bundle(tmp_path / "other", name="other"), offers)
    older = offer_bundle(tiny_bundle, offers)
    os.utime(older, ns=(1, 1))
    assert [offer.model for offer in read_offers(offers)] == ["other", "tiny"]
    follow(offers)
    wait_for(lambda: holder.state.name == "other")
