"""The two key rings: what opens what, what survives a rotation, and what is said when it does not."""

from __future__ import annotations

import pickle
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from shared import files, vault
from shared.errors import UsageError, VaultError
from shared.vault import Credentials, DataKeys, TraderKeys

KEYS = Credentials(key="bg_0123456789abcdef", secret="a-secret/+=", passphrase="pass phrase")


@pytest.fixture
def keyed(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    vault.ensure_keys(home)
    return home


def contents(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "keys").iterdir()}


def test_sealed_credentials_open_only_with_the_traders_key(keyed: Path, tmp_path: Path) -> None:
    blob = vault.seal(vault.public_key(keyed), KEYS)
    assert TraderKeys.open(keyed).unseal(blob) == KEYS
    assert KEYS.secret.encode() not in blob
    assert vault.seal(vault.public_key(keyed), KEYS) != blob
    vault.ensure_keys(tmp_path / "other")
    with pytest.raises(VaultError, match="sealed for another installation: enter them again"):
        TraderKeys.open(tmp_path / "other").unseal(blob)


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-1],
        lambda b: b"",
        lambda b: b[:5],
        lambda b: b[:-1] + bytes([b[-1] ^ 1]),
        lambda b: b + b"x",
    ],
)
def test_a_damaged_blob_is_refused(keyed: Path, damage: Callable[[bytes], bytes]) -> None:
    blob = damage(vault.seal(vault.public_key(keyed), KEYS))
    with pytest.raises(VaultError, match="are damaged or were sealed"):
        TraderKeys.open(keyed).unseal(blob)


def test_credentials_show_nothing_of_themselves() -> None:
    from rich.pretty import pretty_repr

    shown = [repr(KEYS), str(KEYS), f"{KEYS}", f"{[KEYS]}", pretty_repr(KEYS), f"{KEYS!r:>5}"]
    for text in shown:
        for secret in (KEYS.key, KEYS.secret, KEYS.passphrase):
            assert secret not in text


@pytest.mark.parametrize(
    ("key", "secret", "passphrase"),
    [
        ("", "s", ""),
        ("k", " ", ""),
        ("k\r\nX-Header: 1", "s", ""),
        ("k ", "s", ""),
        ("k", "s", "p\n"),
        ("ключ", "s", ""),
        ("k" * 9000, "s", ""),
    ],
)
def test_what_cannot_go_into_a_header_is_refused_at_once(key: str, secret: str, passphrase: str) -> None:
    with pytest.raises(UsageError) as caught:
        Credentials(key, secret, passphrase)
    assert "X-Header" not in str(caught.value)


def test_key_files_are_private_and_made_once(keyed: Path) -> None:
    before = contents(keyed)
    vault.ensure_keys(keyed)
    assert contents(keyed) == before
    assert stat.S_IMODE((keyed / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (keyed / "keys").iterdir()} == {0o600}


def test_processes_that_make_keys_at_once_make_the_same(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from shared import vault; vault.ensure_keys(Path(sys.argv[1])); print(vault.public_key(Path(sys.argv[1])).hex())"
    makers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "h")], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    assert len({maker.communicate(timeout=60)[0] for maker in makers}) == 1
    TraderKeys.open(tmp_path / "h")


def test_the_data_ring_encrypts_for_itself(keyed: Path, tmp_path: Path) -> None:
    ring = DataKeys(keyed)
    token = ring.encrypt(b"coinank-key")
    assert b"coinank" not in token
    assert DataKeys(keyed).decrypt(token) == b"coinank-key"
    vault.ensure_keys(tmp_path / "other")
    for wrong in (token[:-4], b"", b"nonsense"):
        with pytest.raises(VaultError, match="damaged or of another installation"):
            ring.decrypt(wrong)
    with pytest.raises(VaultError, match="damaged or of another installation"):
        DataKeys(tmp_path / "other").rotate(token)


def test_the_master_key_rotates(keyed: Path) -> None:
    blob, token = vault.seal(vault.public_key(keyed), KEYS), DataKeys(keyed).encrypt(b"x")
    old = contents(keyed)
    vault.rotate_master(keyed)
    assert TraderKeys.open(keyed).unseal(blob) == KEYS
    assert DataKeys(keyed).decrypt(token) == b"x"
    with pytest.raises(VaultError, match="still needs an old master key: rotate it first"):
        vault.retire_master(keyed, [token])
    assert DataKeys(keyed).decrypt(token) == b"x"
    token = DataKeys(keyed).rotate(token)
    vault.retire_master(keyed, [token])
    assert DataKeys(keyed).decrypt(token) == b"x"
    assert TraderKeys.open(keyed).unseal(blob) == KEYS
    assert old["master.key"].strip() not in (keyed / "keys" / "master.key").read_bytes()
    (keyed / "keys" / "master.key").write_bytes(old["master.key"])  # the old key alone opens nothing any more
    with pytest.raises(VaultError, match="put both back from one backup"):
        TraderKeys.open(keyed)


def test_a_master_rotation_that_was_cut_off_in_the_middle_loses_nothing(
    keyed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob, token = vault.seal(vault.public_key(keyed), KEYS), DataKeys(keyed).encrypt(b"x")
    whole = files.write_atomic

    def cut(path: Path, data: bytes) -> bool:
        if path.name == "trader.key":
            raise OSError("the power went")
        return whole(path, data)

    with monkeypatch.context() as power:
        power.setattr(files, "write_atomic", cut)
        with pytest.raises(OSError, match="the power went"):
            vault.rotate_master(keyed)
    assert TraderKeys.open(keyed).unseal(blob) == KEYS
    assert DataKeys(keyed).decrypt(token) == b"x"
    with pytest.raises(VaultError):  # retiring now would lose the trader's key
        vault.retire_master(keyed, [DataKeys(keyed).rotate(token)])
    vault.rotate_master(keyed)
    vault.retire_master(keyed, [DataKeys(keyed).rotate(token)])
    assert TraderKeys.open(keyed).unseal(blob) == KEYS


def test_the_traders_key_rotates(keyed: Path) -> None:
    old = vault.seal(vault.public_key(keyed), KEYS)
    fresh = vault.rotate_trader(keyed)
    assert vault.public_key(keyed) == fresh == TraderKeys.open(keyed).public_key
    keys = TraderKeys.open(keyed)
    assert keys.unseal(old) == KEYS
    with pytest.raises(VaultError, match="re-seal all accounts first"):
        vault.retire_trader(keyed, [old])
    new = keys.reseal(old)
    assert new is not None
    assert keys.reseal(new) is None
    vault.retire_trader(keyed, [new])
    assert TraderKeys.open(keyed).unseal(new) == KEYS
    with pytest.raises(VaultError, match="sealed for another installation"):
        TraderKeys.open(keyed).unseal(old)


def test_a_trader_rotation_that_was_cut_off_is_mended(keyed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = (keyed / "keys" / "trader.pub").read_bytes()
    fresh = vault.rotate_trader(keyed)
    (keyed / "keys" / "trader.pub").write_bytes(stale)
    blob = vault.seal(vault.public_key(keyed), KEYS)  # sealed to the old key meanwhile
    vault.ensure_keys(keyed)
    assert vault.public_key(keyed) == fresh
    assert TraderKeys.open(keyed).unseal(blob) == KEYS


@pytest.mark.parametrize("name", ["master.key", "trader.key"])
@pytest.mark.parametrize("wrong", [b"", b"\n\n", b"not base64!!\n", b"AAAA\n", b"\xff\xfe\n"])
def test_a_damaged_key_file_says_what_to_do(keyed: Path, name: str, wrong: bytes) -> None:
    path = keyed / "keys" / name
    path.write_bytes(wrong)
    for act in (TraderKeys.open, vault.ensure_keys):
        with pytest.raises(VaultError, match=r"(is damaged|is empty).*put (it|both) back from") as caught:
            act(keyed)
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == wrong


def test_a_missing_or_foreign_key_says_what_to_do(keyed: Path, tmp_path: Path) -> None:
    vault.ensure_keys(tmp_path / "other")
    kept = contents(keyed)
    (keyed / "keys" / "master.key").write_bytes(contents(tmp_path / "other")["master.key"])
    with pytest.raises(VaultError, match="of another installation: put both back from one backup"):
        TraderKeys.open(keyed)
    (keyed / "keys" / "master.key").unlink()
    with pytest.raises(VaultError, match=r"master\.key is missing but .*trader\.key is there: put it back"):
        vault.ensure_keys(keyed)
    with pytest.raises(VaultError, match="is missing"):
        DataKeys(keyed)
    assert (keyed / "keys" / "trader.key").read_bytes() == kept["trader.key"]


def test_a_key_that_others_can_read_is_refused(keyed: Path) -> None:
    (keyed / "keys" / "master.key").chmod(0o640)
    with pytest.raises(VaultError, match=r"can be read by others: run `chmod 600 .*master\.key`"):
        TraderKeys.open(keyed)


def test_a_missing_public_half_is_made_again(keyed: Path) -> None:
    before = vault.public_key(keyed)
    (keyed / "keys" / "trader.pub").unlink()
    with pytest.raises(VaultError, match="is missing"):
        vault.public_key(keyed)
    vault.ensure_keys(keyed)
    assert vault.public_key(keyed) == before
    with pytest.raises(VaultError, match="public key is damaged"):
        vault.seal(b"short", KEYS)


def test_the_trader_loads_one_crypto_library() -> None:
    code = """
import sys, tempfile
from pathlib import Path
from shared import vault
home = Path(tempfile.mkdtemp())
vault.ensure_keys(home)
blob = vault.seal(vault.public_key(home), vault.Credentials("k", "s"))
vault.TraderKeys.open(home).unseal(blob)
assert not [name for name in sys.modules if name.split(".")[0] in ("cryptography", "sqlalchemy", "pydantic")]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_private_keys_are_not_shown(keyed: Path) -> None:
    keys = TraderKeys.open(keyed)
    assert "SealedBox" not in repr(keys)
    with pytest.raises(TypeError):
        msgspec.json.encode(keys)
    with pytest.raises((TypeError, pickle.PicklingError, AttributeError)):
        pickle.dumps(keys)
