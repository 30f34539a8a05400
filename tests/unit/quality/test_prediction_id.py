from __future__ import annotations

import hmac
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evermodel_runtime.quality.prediction_id import MAC_BYTES, Issued, Refusal, Signer, compact_label

TOKEN = "ab" * 32
AT = 1_785_740_000.123
NONCE = b"12345678"


def signer(token: str = TOKEN, model: str = "digits") -> Signer:
    return Signer(token, model)


@given(
    version=st.integers(1, 2**31),
    at=st.floats(1.0, 4e9),
    predicted=st.text(),
    nonce=st.binary(min_size=8, max_size=8),
)
def test_an_id_says_what_was_signed(version: int, at: float, predicted: str, nonce: bytes) -> None:
    issued = signer().verify(signer().issue(version, at, predicted, nonce))
    assert isinstance(issued, Issued)
    assert issued.version == version
    assert issued.at == pytest.approx(at, abs=0.0006)
    assert issued.predicted == compact_label(predicted)


@given(predicted=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_signed_to_the_bit(predicted: float) -> None:
    issued = signer().verify(signer().issue(1, AT, predicted, NONCE))
    assert isinstance(issued, Issued)
    assert isinstance(issued.predicted, float)
    assert issued.predicted == predicted


@given(token=st.text(), predicted=st.text(max_size=300))
def test_the_signature_is_hmac_sha256_over_what_is_said(token: str, predicted: str) -> None:
    raw = urlsafe_b64decode((spelled := signer(token).issue(3, AT, predicted, NONCE)) + "=" * (-len(spelled) % 4))
    key = hmac.digest(token.encode(), b"prediction-id", "sha256")
    assert raw[:MAC_BYTES] == hmac.digest(key, raw[MAC_BYTES:], "sha256")[:MAC_BYTES]


def test_an_id_fits_in_a_url() -> None:
    prediction = signer().issue(3, AT, "7", NONCE)
    assert set(prediction) <= set(string.ascii_letters + string.digits + "-_")
    assert len(prediction) < 64


def test_any_changed_character_is_noticed() -> None:
    prediction = signer().issue(3, AT, "seven", NONCE)
    for place, character in enumerate(prediction):
        other = "A" if character != "A" else "B"
        assert isinstance(signer().verify(prediction[:place] + other + prediction[place + 1 :]), Refusal)


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(lambda text: text + "=", id="padded"),
        pytest.param(lambda text: text[:5] + "\n" + text[5:], id="with a line break"),
        pytest.param(lambda text: text[:5] + "!" + text[5:], id="with a character that decoders skip"),
        pytest.param(lambda text: text + "AAAA", id="with more bytes"),
        pytest.param(lambda text: text[:-4], id="with fewer bytes"),
    ],
)
def test_an_id_has_one_spelling(spelling: type[str]) -> None:
    # A second spelling of the same bytes would pass the signature and be counted as another prediction.
    assert signer().verify(spelling(signer().issue(3, AT, "7", NONCE))) is Refusal.FORGED


def test_the_last_character_has_one_spelling() -> None:
    for predicted in ("7", "77", "777"):
        prediction = signer().issue(3, AT, predicted, NONCE)
        raw = urlsafe_b64decode(prediction + "=" * (-len(prediction) % 4))
        for character in string.ascii_letters + string.digits + "-_":
            other = prediction[:-1] + character
            if other != prediction and urlsafe_b64decode(other + "=" * (-len(other) % 4)) == raw:
                assert signer().verify(other) is Refusal.FORGED


@pytest.mark.parametrize("text", ["", "x", "é", "A" * 16, "A" * 5000, urlsafe_b64encode(b"\0" * 40).decode()])
def test_other_texts_are_forged(text: str) -> None:
    assert signer().verify(text) is Refusal.FORGED


def test_another_key_is_forged_and_another_model_foreign() -> None:
    assert signer().verify(signer(token="cd" * 32).issue(3, AT, "7", NONCE)) is Refusal.FORGED
    assert signer().verify(signer(model="other").issue(3, AT, "7", NONCE)) is Refusal.FOREIGN


def test_long_labels_are_compared_by_digest() -> None:
    label = "x" * 129
    issued = signer().verify(signer().issue(3, AT, label, NONCE))
    assert isinstance(issued, Issued)
    assert issued.predicted == compact_label(label) != label
    assert compact_label("é" * 64) == "é" * 64
    assert compact_label("é" * 65).startswith("sha256:")


def test_keys_differ_between_predictions_and_sort_together_in_time() -> None:
    keys = []
    for number in range(50):
        issued = signer().verify(signer().issue(3, AT + number // 25, "7", number.to_bytes(8, "big")))
        assert isinstance(issued, Issued)
        keys.append(issued.key)
    assert len(set(keys)) == 50
    assert {len(key) for key in keys} == {24}
    assert len({key[:8] for key in keys}) == 2


def test_ids_of_earlier_releases_are_read() -> None:
    # Issued before rows of one request were signed together; labels may come weeks later.
    issued = signer().verify("LF891WjYQwNHUGqBlaZkaWdpdHMDzwAAAZ_GZft7xAgxMjM0NTY3OKE3")
    assert isinstance(issued, Issued)
    assert (issued.version, issued.at, issued.predicted) == (3, AT, "7")
