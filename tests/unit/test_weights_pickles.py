"""Reading checkpoints: tensors and plain values come through, nothing is run, damage is one line."""

import argparse
import os
import pickle
import zipfile

import pytest
import torch
from rnalm.errors import InputError
from rnalm.models.exchange.pickles import read
from safetensors.torch import save_file

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "threshold": 0.17}


class Malicious:
    """Unpickling it runs a shell command."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


class Unknown:
    pass


def one_line(path, *expected: str) -> None:
    with pytest.raises(InputError) as error:
        read(path)
    for part in (str(path), *expected):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def same(content: dict) -> None:
    assert content.keys() == STATE.keys()
    assert torch.equal(content["a.weight"], STATE["a.weight"])
    assert content["threshold"] == STATE["threshold"]


@pytest.mark.parametrize("zipped", [True, False])
def test_torch(tmp_path, zipped):
    torch.save(STATE, tmp_path / "c.pt", _use_new_zipfile_serialization=zipped)
    same(read(tmp_path / "c.pt"))


def test_options_of_fairseq(tmp_path):
    content = {"args": argparse.Namespace(arch="ernie_rna", lr=[1e-4]), "model": STATE, "extra_state": {"epoch": 38}}
    torch.save(content, tmp_path / "c.pt")
    same(read(tmp_path / "c.pt")["model"])


def test_safetensors(tmp_path):
    save_file({"a.weight": STATE["a.weight"]}, tmp_path / "c.safetensors")
    assert torch.equal(read(tmp_path / "c.safetensors")["a.weight"], STATE["a.weight"])


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_checkpoint_is_refused_and_not_run(tmp_path, zipped):
    content = {"model": STATE, "args": Malicious(f"touch {tmp_path / 'touched'}")}
    torch.save(content, tmp_path / "c.pt", _use_new_zipfile_serialization=zipped)
    one_line(tmp_path / "c.pt", "posix.system", "refused")
    assert not (tmp_path / "touched").exists()
    # It is one that does harm where it is read as any pickle.
    torch.load(tmp_path / "c.pt", weights_only=False)
    assert (tmp_path / "touched").exists()


def test_a_malicious_plain_pickle(tmp_path):
    (tmp_path / "c.pt").write_bytes(pickle.dumps(Malicious(f"touch {tmp_path / 'touched'}"), protocol=2))
    one_line(tmp_path / "c.pt")
    assert not (tmp_path / "touched").exists()


def test_an_unknown_class_is_named(tmp_path):
    torch.save({"model": STATE, "config": Unknown()}, tmp_path / "c.pt")
    one_line(tmp_path / "c.pt", "test_weights_pickles.Unknown")


def test_options_may_not_hide_a_call(tmp_path):
    options = argparse.Namespace(hook=Malicious(f"touch {tmp_path / 'touched'}"))
    torch.save({"model": STATE, "args": options}, tmp_path / "c.pt")
    one_line(tmp_path / "c.pt", "posix.system")
    assert not (tmp_path / "touched").exists()


def test_no_state_dict(tmp_path):
    torch.save([STATE["a.weight"]], tmp_path / "c.pt")
    one_line(tmp_path / "c.pt", "holds a list")


def test_no_file(tmp_path):
    one_line(tmp_path / "c.pt", "is no file")


@pytest.mark.parametrize("name", ["c.pt", "c.safetensors"])
def test_damaged(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".pt":
        torch.save(STATE, path)
    else:
        save_file({"a.weight": STATE["a.weight"]}, path)
    whole = path.read_bytes()
    for part in (whole[: len(whole) // 2], whole[:9], b"", b"\x80\x02" + whole, b"<html>404</html>\n"):
        path.write_bytes(part)
        one_line(path, "cannot be read")


def test_a_bit_that_flipped(tmp_path):
    path = tmp_path / "c.pt"
    torch.save(STATE, path)
    whole = bytearray(path.read_bytes())
    whole[whole.find(STATE["a.weight"].numpy().tobytes()) + 5] ^= 1
    path.write_bytes(whole)
    torch.load(path)  # goes unnoticed
    one_line(path, "cannot be read", "another checksum")


def test_what_torch_says_is_kept_short(tmp_path, recwarn):
    for content in (b"P", pickle.dumps({"a": STATE["threshold"]}, protocol=4), pickle.dumps(Malicious("true"))):
        (tmp_path / "c.pt").write_bytes(content)
        with pytest.raises(InputError) as error:
            read(tmp_path / "c.pt")
        assert "weights_only" not in str(error.value)
    scripted = torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2))
    recwarn.clear()
    scripted.save(tmp_path / "c.pt")
    one_line(tmp_path / "c.pt", "cannot be read")
    assert not recwarn.list


def test_a_zip_that_is_no_checkpoint(tmp_path):
    with zipfile.ZipFile(tmp_path / "c.pt", "w") as archive:
        archive.writestr("a.txt", "nothing")
    one_line(tmp_path / "c.pt", "cannot be read")
