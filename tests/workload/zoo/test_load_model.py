"""A model that is an object in memory is answered with the way to a file."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from pimlab.workload import ModelError, load_model


def object_of(module):
    return type("Net", (type("Module", (), {"__module__": module}),), {})()


@pytest.mark.parametrize(("model", "way"), [
    (object_of("torch.nn.modules.module"), r"Net object is a torch module; .*torch.onnx.export"),
    (MLPClassifier(), r"MLPClassifier object is of scikit-learn; .*skl2onnx.to_onnx"),
    (object_of("keras.src.models"), r"Net object is of Keras; write model.export"),
    (np.zeros(3), r"is neither a name nor a path; write for example"),
])  # fmt: skip
def test_an_object_gets_the_way_to_a_file(model, way):
    with pytest.raises(TypeError, match=way):
        load_model(model)


def test_only_onnx_files_have_outputs_to_choose():
    with pytest.raises(ModelError, match="'small-lm' with output='y': only ONNX files take output"):
        load_model("small-lm", output="y")
