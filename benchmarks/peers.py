"""How fast are we beside other programs? `make bench-peers`, or `python -m benchmarks.peers`.

Whichever of the peers is installed does the same work as we do, in the same process, on the same
threads, taken in turns; the best of several counts. A peer that is not installed is named, with
what installs it.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import importlib
import importlib.metadata
import io
import logging
import platform
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import pimlab as pim
from benchmarks.timing import best, threads
from pimlab.units import si

BATCHES = (1, 8, 64, 256, 1024)
LONG = 2.0
"""Seconds of one turn after which no larger batch is tried."""
Pair = tuple[Callable[[], Any], Callable[[], Any]]


class Peer(NamedTuple):
    """A program and one work that both do.

    package, install : its distribution, and what installs it.  work : in words.  pair : batch ->
    what runs theirs, and ours.
    """

    package: str
    install: str
    work: str
    pair: Callable[[int], Pair]


def _data(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, columns), np.float32)


def _onnx(name: str, batch: int) -> Pair:
    """The network in floating point: ONNX Runtime on the CPU, and our exact execution."""
    import onnxruntime

    from pimlab.workload import files
    from pimlab.workload.zoo.models import VENDORED
    from pimlab.workload.zoo.pairs import DATA

    model, data = pim.load_model(name), pim.load_data(DATA[name])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(files.verified(VENDORED[name])), options, providers=["CPUExecutionProvider"]
    )
    x = np.resize(data.inputs, (batch, *data.inputs.shape[1:])).astype(np.float32)
    wanted = session.get_inputs()[0]
    return lambda: session.run(None, {wanted.name: x}), lambda: model.execute(x, model.exact)


def _gfloat(ours: str, theirs: str, batch: int) -> Pair:
    """float32 rounded to an 8-bit float, 1,024 values a sample."""
    import gfloat
    from gfloat import formats

    info, x = getattr(formats, theirs), _data(batch, 1024)
    return (
        lambda: gfloat.round_ndarray(info, x, sat=True),
        lambda: pim.formats.cast(x, ours, saturate=True),
    )


def _badcrossbar(batch: int) -> Pair:
    """Currents of 64 x 64 cells between wires of 1 ohm, for `batch` vectors of voltages."""
    badcrossbar = importlib.import_module("badcrossbar")
    g = np.random.default_rng(0).uniform(1e-6, 25e-6, (64, 64))
    v = np.abs(_data(batch, 64)).astype(float)
    logging.getLogger("badcrossbar").setLevel(logging.WARNING)
    return (
        lambda: badcrossbar.compute(v.T, 1 / g, 1.0),
        lambda: v @ pim.analog.effective_conductance(g, "1 ohm", "1 ohm"),
    )


def _macro() -> Any:
    cell = pim.device("pcm-joshi2020")
    adc = pim.ADC(bits=8, range="worst case")
    return pim.Crossbar(rows=512, cols=512, cell=cell, dac=pim.DAC(bits=8), adc=adc)


def _programmed(batch: int) -> tuple[Callable[[], Any], np.ndarray, np.ndarray]:
    """Our read of 512 x 512 PCM pairs with noise, the input and the weights."""
    w, x = _data(512, 512, 1) / 512**0.5, _data(batch, 512)
    programmed = _macro().program(w, 0)
    programmed.matmul(x, 0, "1 day")  # cells are computed once, as a peer's are
    return lambda: programmed.matmul(x, 0, "1 day"), x, w


def _aihwkit(module: str, batch: int) -> Pair:
    """A linear layer of 512 x 512 PCM pairs a day after programming."""
    torch = importlib.import_module("torch")
    linear = importlib.import_module(f"{module}.nn").AnalogLinear
    configs = importlib.import_module(f"{module}.simulator.configs")
    named = "InferenceRPUConfig" if module == "aihwkit" else "TorchInferenceRPUConfig"
    config = getattr(configs, named)()
    ours, x, w = _programmed(batch)
    layer = linear(512, 512, bias=False, rpu_config=config)
    layer.set_weights(torch.tensor(w.T.copy()))
    layer.eval()
    if hasattr(layer, "drift_analog_weights"):
        layer.drift_analog_weights(86400.0)
    given = torch.tensor(x)

    def theirs() -> Any:
        with torch.no_grad():
            return layer(given)

    return theirs, ours


def _crosssim(batch: int) -> Pair:
    """A product with 512 x 512 pairs whose reads are noisy, 8-bit converters."""
    simulator = importlib.import_module("simulator")
    parameters = simulator.CrossSimParameters()
    device = parameters.xbar.device
    device.Rmin, device.infinite_on_off_ratio = 4e4, True
    device.read_noise.enable, device.read_noise.model = True, "NormalIndependentDevice"
    device.read_noise.magnitude = 0.01
    ours, x, w = _programmed(batch)
    core = simulator.AnalogCore(w.T, params=parameters)
    return lambda: core.matmat(x.T), ours


SYSTOLIC = {
    "general": {"run_name": "peer"},
    "architecture_presets": {
        "ArrayHeight": 64, "ArrayWidth": 64, "IfmapSramSzkB": 256, "FilterSramSzkB": 256,
        "OfmapSramSzkB": 256, "IfmapOffset": 0, "FilterOffset": 10**7, "OfmapOffset": 2 * 10**7,
        "Dataflow": "ws", "ReadRequestBuffer": 32, "WriteRequestBuffer": 32, "Bandwidth": 10,
    },
    "layout": {
        "IfmapCustomLayout": False, "FilterCustomLayout": False, "IfmapSRAMBankBandwidth": 10,
        "IfmapSRAMBankNum": 10, "IfmapSRAMBankPort": 2, "FilterSRAMBankBandwidth": 10,
        "FilterSRAMBankNum": 10, "FilterSRAMBankPort": 2,
    },
    "sparsity": {"SparsitySupport": False},
    "run_presets": {"InterfaceBandwidth": "CALC", "UseRamulatorTrace": False},
}  # fmt: skip
"""Settings that SCALE-Sim 3 asks for: an array of 64 x 64 that keeps weights."""


def _scalesim(batch: int) -> Pair:
    """Cycles and accesses of a product (batch, 256) x (256, 256) on an array of 64 x 64."""
    simulator = importlib.import_module("scalesim.scale_sim").scalesim
    folder = Path(tempfile.mkdtemp(prefix="scalesim-"))
    settings = configparser.ConfigParser()
    settings.read_dict(SYSTOLIC)
    with (folder / "array.cfg").open("w") as file:
        settings.write(file)
    (folder / "product.csv").write_text(f"Layer,M,N,K,\nproduct,{batch},256,256,\n")
    (folder / "layout.csv").write_text("Layer\n")

    def theirs() -> Any:
        tool = simulator(
            save_disk_space=True, verbose=False, config=str(folder / "array.cfg"),
            topology=str(folder / "product.csv"), layout=str(folder / "layout.csv"),
            input_type_gemm=True,
        )  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            tool.run_scale(top_path=str(folder))

    return theirs, lambda: pim.npu.gemm_cycles(batch, 256, 256, rows=64, cols=64, dataflow="ws")


PEERS = (
    Peer("onnxruntime", "pip install onnxruntime", "digits-mlp, float32",
         lambda batch: _onnx("digits-mlp", batch)),
    Peer("onnxruntime", "pip install onnxruntime", "fashion-cnn, float32",
         lambda batch: _onnx("fashion-cnn", batch)),
    Peer("gfloat", "pip install gfloat", "1,024 values to FP8 E4M3",
         lambda batch: _gfloat("fp8_e4m3", "format_info_ocp_e4m3", batch)),
    Peer("badcrossbar", "pip install badcrossbar", "64 x 64 cells, wires of 1 ohm", _badcrossbar),
    Peer("aihwkit", "pip install aihwkit", "linear 512 x 512, PCM after a day",
         lambda batch: _aihwkit("aihwkit", batch)),
    Peer("aihwkit-lightning", "pip install aihwkit-lightning", "linear 512 x 512",
         lambda batch: _aihwkit("aihwkit_lightning", batch)),
    Peer("scalesim", "pip install scalesim", "counts of a 256 x 256 product", _scalesim),
    Peer("cross-sim", "see its repository", "product with 512 x 512 noisy pairs", _crosssim),
)  # fmt: skip


def rows(batches: tuple[int, ...], repeat: int, names: list[str]) -> Iterator[dict[str, Any]]:
    """One row a peer, work and batch: seconds of both and their ratio; of a peer that is not
    installed one row that says what installs it.
    """
    for peer in PEERS:
        if names and not any(name in peer.package for name in names):
            continue
        for batch in batches:
            about = {"peer": peer.package, "work": peer.work, "batch": batch}
            try:
                with threads(1):
                    theirs, ours = best(repeat, *peer.pair(batch))
            except ModuleNotFoundError as missing:
                yield {**about, "absent": f"no module {missing.name}; {peer.install}"}
                break
            except (AttributeError, ImportError, RuntimeError, TypeError, ValueError) as refused:
                yield {**about, "absent": f"another version? {refused}"}
                break
            yield {**about, "version": _version(peer.package), "theirs": theirs, "ours": ours}
            if theirs > LONG and batch != batches[-1]:
                yield {**about, "absent": f"larger batches left out: above {LONG:g} s"}
                break


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def line(row: dict[str, Any]) -> list[str]:
    """The cells of a row, as text: ratios above 1 mean that we are faster."""
    if "absent" in row:
        return [row["peer"], row["work"], "", "", "", row["absent"]]
    ratio = row["theirs"] / row["ours"]
    seconds = [si(row[whose], "s", 3) for whose in ("theirs", "ours")]
    named = f"{row['peer']} {row['version']}".strip()
    shown = f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2g}"
    return [named, row["work"], f"{row['batch']:,}", *seconds, shown]


HEAD = ["peer", "work", "batch", "theirs", "ours", "theirs / ours"]


def page(lines: list[list[str]]) -> str:
    """The table as a page of the documentation, with the date and the CPU."""
    table = [HEAD, ["---"] * len(HEAD), *lines]
    return "\n".join(
        [
            "# Beside other programs",
            "",
            f"Measured on {date.today():%d %B %Y}, one thread of {_cpu()}, by `make bench-peers`.",
            "Both programs do the same work in the same process, in turns; the best of several",
            "counts. Above 1 in the last column, pimlab is faster. Work is the same in kind and",
            "size; the physics is each program's own.",
            "",
            *("| " + " | ".join(cells) + " |" for cells in table),
            "",
        ]
    )


def _cpu() -> str:
    """What /proc calls the CPU, else what Python does."""
    about = Path("/proc/cpuinfo")
    if about.exists():
        for text in about.read_text().splitlines():
            if text.startswith("model name"):
                return text.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main(arguments: list[str] | None = None) -> None:
    """Time the peers, print the table, and write the page where one is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of peers' names (default: all)")
    parser.add_argument("--batch", type=int, nargs="+", default=BATCHES, help="samples at once")
    parser.add_argument("--repeat", type=int, default=5, help="turns; the best counts")
    parser.add_argument("--page", type=Path, help="write the table there, as Markdown")
    options = parser.parse_args(arguments)
    if options.repeat < 1 or min(options.batch) < 1:
        parser.error("--repeat and --batch are 1 or more")
    lines = []
    shape = "{:24.24s} {:36.36s} {:>6s} {:>10s} {:>10s}  {}"
    print(shape.format(*HEAD))
    for row in rows(tuple(options.batch), options.repeat, options.names):
        lines.append(line(row))
        print(shape.format(*lines[-1]), flush=True)
    if options.page:
        options.page.write_text(page(lines))


if __name__ == "__main__":
    main()
