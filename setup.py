"""What pyproject.toml cannot say: `datasets/` is installed as the data of `pimlab.datasets`."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["pimlab*"]), "pimlab.datasets"],
    package_dir={"pimlab.datasets": "datasets"},
    package_data={
        "pimlab": ["catalogue/*.bib", "catalogue/*/*.toml", "py.typed", "*.pyi"],
        "pimlab.datasets": [
            "*.toml",
            "*.md",
            "*.gz",
            "*.npz",
            "*.csv",
            "models/*",
            "language/*",
            "requests/*",
        ],
    },
)
