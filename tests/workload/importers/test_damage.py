"""Is a damaged file one error that names it, wherever it is cut and whatever byte of it is turned?"""

import io
import random
import traceback
from pathlib import Path

import numpy as np
import pytest

import pimlab as pim
from pimlab import catalogue, cli
from pimlab.workload import files
from pimlab.workload.language import load_gguf
from pimlab.workload.zoo.models import VENDORED

CATALOGUE = Path(catalogue.__file__).parent


def damaged(content, seed):
    """`content` cut, or with bytes turned, doubled or left out, as the seed has it."""
    draw = random.Random(seed)
    changed = bytearray(content)
    if seed % 4 == 0:
        return bytes(changed[: draw.randrange(len(changed))])
    for _ in range(draw.choice((1, 2, 8))):
        at = draw.randrange(min(len(changed), draw.choice((64, 512, len(changed)))))
        if seed % 4 == 1:
            changed[at] ^= 1 << draw.randrange(8)
        elif seed % 4 == 2:
            changed[at] = draw.randrange(256)
        else:
            changed[at : at + draw.randrange(9)] = draw.randbytes(draw.randrange(9))
    return bytes(changed)


def onnx_file(path):
    return files.verified(VENDORED["digits-mlp"]).read_bytes()


def device_file(path):
    return (CATALOGUE / "devices" / "pcm-joshi2020.toml").read_bytes()


def npu_file(path):
    return (CATALOGUE / "npu" / "warboy.toml").read_bytes()


def data_file(path):
    written = io.BytesIO()
    np.savez_compressed(written, x=np.ones((4, 3), np.float32), y=np.arange(4) % 2)
    return written.getvalue()


def gguf_file(path):
    """A header, a number, a text, a list and one tensor."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    writer.add_tensor("token_embd.weight", np.ones((2, 32), np.float32))
    for write in ("header_to_file", "kv_data_to_file", "tensors_to_file"):
        getattr(writer, f"write_{write}")()
    writer.close()
    return path.read_bytes()


def result_file(path):
    answer = pim.run(pim.load_model("digits-mlp"), pim.target("warboy"))
    return bytes(answer.to_netcdf(engine="h5netcdf"))


def cited(path):
    """What the shell's `pimlab cite` says of a file, as an error where it is one."""
    options = cli._parser().parse_args(["cite", str(path)])
    options.act(options)


KINDS = {
    ".onnx": (onnx_file, lambda path: pim.load_model(path), 120),
    ".toml": (device_file, lambda path: pim.device(path), 120),
    ".npu.toml": (npu_file, catalogue.load, 120),
    ".npz": (data_file, lambda path: pim.load_data(path), 120),
    ".gguf": (gguf_file, load_gguf, 120),
    ".nc": (result_file, cited, 30),
}


# h5py's files close themselves badly where opening them failed; nothing of the project's is open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused_by_its_name(kind, tmp_path, capsys):
    make, read, count = KINDS[kind]
    whole, path = make(tmp_path / "whole"), tmp_path / f"mine{kind}"
    said = []
    for seed in range(count):
        path.write_bytes(damaged(whole, seed))
        try:
            read(path)
        except Exception as error:  # of any kind: that is what is asked
            said.append((seed, error))
    unclear = [(seed, repr(error)) for seed, error in said if not _clear(error)]
    assert not unclear
    assert len(said) > count / 5


def _clear(error):
    """Whether an error is the project's own, and names the file."""
    place = traceback.extract_tb(error.__traceback__)[-1].filename
    kind = isinstance(error, ValueError | OSError) and not isinstance(error, UnicodeError)
    return kind and "pimlab" in place and "mine" in str(error)
