"""The names of pimlab as type checkers and editors see them; they load on first use.

Editors offer the names that are listed here; any other text is allowed, because a user's own
catalogue adds names.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pimlab import analog as analog
from pimlab import catalogue as catalogue
from pimlab import cluster as cluster
from pimlab import cost as cost
from pimlab import dram_pim as dram_pim
from pimlab import farm as farm
from pimlab import formats as formats
from pimlab import interchange as interchange
from pimlab import lab as lab
from pimlab import npu as npu
from pimlab import plan as plan
from pimlab import plot as plot
from pimlab import result as result
from pimlab import serving as serving
from pimlab import units as units
from pimlab import workload as workload
from pimlab.analog.converters import ADC as ADC
from pimlab.analog.converters import DAC as DAC
from pimlab.analog.crossbar import Crossbar as Crossbar
from pimlab.analog.devices.conformance import check as check
from pimlab.analog.devices.device import Device
from pimlab.catalogue.entries import add_catalogue as add_catalogue
from pimlab.cluster.cluster import Cluster as Cluster
from pimlab.cluster.networks import network as network
from pimlab.cluster.search import parallelise as parallelise
from pimlab.constants import Constant as Constant
from pimlab.constants import assumed as assumed
from pimlab.farm.manifests import write_manifests as write_manifests
from pimlab.farm.offers import offer as offer
from pimlab.farm.provision import provision as provision
from pimlab.keys import Key as Key
from pimlab.lab.devices import explore_device as explore_device
from pimlab.lab.explorer import explore as explore
from pimlab.lab.windows import explore_schedule as explore_schedule
from pimlab.machine.links import link as link
from pimlab.machine.presets import targets as targets
from pimlab.machine.protocol import Target
from pimlab.machine.streamed import streamed as streamed
from pimlab.plan.plan import Plan as Plan
from pimlab.result import summary as summary
from pimlab.schedule import schedule as schedule
from pimlab.schedule.load import crossings as crossings
from pimlab.schedule.load import energy_at as energy_at
from pimlab.schedule.trace import write_trace as write_trace
from pimlab.serving.arrivals import poisson as poisson
from pimlab.serving.policy import Slo as Slo
from pimlab.serving.serve import serve as serve
from pimlab.serving.traces import load_requests as load_requests
from pimlab.studies.compare import compare as compare
from pimlab.studies.decisive import decisive as decisive
from pimlab.studies.difference import compare_results as compare_results
from pimlab.studies.explain import explain as explain
from pimlab.studies.likely import likely_energy as likely_energy
from pimlab.studies.lists import datasets as datasets
from pimlab.studies.lists import devices as devices
from pimlab.studies.lists import machines as machines
from pimlab.studies.lists import macros as macros
from pimlab.studies.lists import models as models
from pimlab.studies.lists import papers as papers
from pimlab.studies.operating import operating_points as operating_points
from pimlab.studies.outlier_search import outlier_aware as outlier_aware
from pimlab.studies.papers import scores as scores
from pimlab.studies.place import place as place
from pimlab.studies.provenance import cite as cite
from pimlab.studies.provenance import target_of as target_of
from pimlab.studies.run import run as run
from pimlab.studies.service_life import service_life as service_life
from pimlab.studies.spec_map import device_spec_map as device_spec_map
from pimlab.studies.sweep import study as study
from pimlab.studies.sweep import sweep as sweep
from pimlab.studies.training import train as train
from pimlab.workload.data import Data as Data
from pimlab.workload.model import Model
from pimlab.workload.training.recipe import Recipe as Recipe
from pimlab.workload.transform.compressed import compress as compress

__version__: str

_Target = Literal[
    "a100",
    "atom",
    "atom-max",
    "colonnade",
    "dx-m1",
    "gddr6-aim",
    "h100",
    "hbm-pim",
    "isaac",
    "jia2020",
    "l40s",
    "lpddr-pim",
    "mythic-m1076",
    "neurram",
    "pcm-hermes",
    "pcm-hermes-one-phase",
    "raella",
    "rebel",
    "rngd",
    "sinangil2021",
    "t4",
    "tpu-v4i",
    "upmem",
    "upmem-int32",
    "wang2022",
    "warboy",
    "x220",
    "x330",
]
_Device = Literal[
    "capacitor-li2018",
    "ecram-kim2019",
    "ecram-tang2018",
    "fefet-hsieh2021",
    "flash-generic",
    "gaussian",
    "ideal",
    "pcm-buchel2025",
    "pcm-hermes",
    "pcm-hermes-pair",
    "pcm-joshi2020",
    "pcm-joshi2020-crosssim",
    "reram-cmo",
    "reram-cmo-tight",
    "reram-milo2021",
    "reram-nvsim",
    "reram-wan2022",
    "sonos-agrawal2022",
    "stt-mram",
]
_Model = Literal[
    "basic-motions-mlp",
    "cancer-mlp",
    "digits-mlp",
    "exaone3.5-32b",
    "faces-mlp",
    "fashion-cnn",
    "gpt3-175b",
    "hyperclova-82b",
    "ionosphere-mlp",
    "llama-65b",
    "llama2-13b",
    "llama2-70b",
    "llama2-7b",
    "llama3.1-405b",
    "llama3.1-8b",
    "llama3.3-70b",
    "magika",
    "minilm",
    "minilm-int8",
    "mixtral-8x7b",
    "ocr",
    "parkinson-speech-mlp",
    "satimage-mlp",
    "small-lm",
    "smollm2-135m",
    "sonar-mlp",
]
_DataSet = Literal[
    "basic-motions",
    "breast-cancer",
    "digits",
    "faces",
    "fashion-mnist",
    "ionosphere",
    "kjv",
    "kjv-smollm2",
    "lee",
    "magika-files",
    "ocr-lines-120",
    "ocr-lines-200",
    "ocr-lines-40",
    "parkinson-speech",
    "satimage",
    "sonar",
]
_Split = Literal["test", "calibration", "train"]

def target(name: _Target | str) -> Target: ...
def device(name: _Device | str | Path) -> Device: ...
def load_model(
    name: _Model | Any,
    *,
    dims: Mapping[str, int] | None = None,
    output: str | None = None,
    example: Any = None,
) -> Model: ...
def load_data(
    name: _DataSet | str | os.PathLike[str],
    split: _Split | str = "test",
    limit: int | None = None,
) -> Data: ...
