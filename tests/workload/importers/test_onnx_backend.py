"""Cases of the standard's own test suite are equal or refused by a reason of ours, never wrong."""

import pytest

from benchmarks import onnx_backend

KINDS = {
    "test_gemm_": "equal",
    "test_matmul_": "equal",
    "test_convtranspose_output_shape": "equal",
    "test_softmax_axis_0": "equal",
    "test_mvn": "equal",
    "test_reduce_mean_default_axes_keepdims_example": "equal",
    "test_attention_4d_gqa": "equal",
    "test_attention_4d_fp16": "equal",
    "test_lstm_": "equal",
    "test_gru_": "equal",
    "test_einsum_": "equal",
    "test_qlinear": "equal",
    "test_training_dropout_default": "refused",
    "test_maxunpool_export_with_output_shape": "refused",
}


@pytest.fixture(scope="module")
def cases():
    return {case.name: case for case in onnx_backend.node_cases()}


@pytest.mark.parametrize("kind", KINDS)
def test_cases_of_one_kind(cases, kind):
    chosen = [name for name in cases if name.startswith(kind) and "bf16" not in name][:8]
    assert chosen
    for name in chosen:
        found = onnx_backend.verdicts(cases[name])
        assert KINDS[kind] in {v.result for v in found} <= {"equal", "refused"}, found
        assert all(v.reason.startswith(name) for v in found if v.result == "refused"), found


def test_a_sample_of_all_cases_is_never_wrong_and_prints_its_table(cases):
    found = [v for name in list(cases)[::23] for v in onnx_backend.verdicts(cases[name])]
    bad = [v for v in found if v.result in ("wrong", "crashed")]
    assert not bad
    printed = onnx_backend.table(found)
    assert "0 wrong" in printed
    assert "0 crashed" in printed


@pytest.mark.full
def test_every_case_is_equal_or_refused(cases):
    every = [*cases.values(), *onnx_backend.file_cases()]
    found = [v for case in every for v in onnx_backend.verdicts(case)]
    assert not [v for v in found if v.result in ("wrong", "crashed")]
    assert len({v.name for v in found if v.result == "equal"}) > 1880


def test_a_network_with_generated_weights_is_equal():
    light = {case.name: case for case in onnx_backend.light_cases()}
    assert len(light) == 9
    for name in ("light_shufflenet", "light_inception_v1"):
        assert [v.result for v in onnx_backend.verdicts(light[name])] == ["equal"]


def test_a_wrong_answer_would_be_told(cases):
    case = cases["test_matmul_2d"]
    assert onnx_backend.verdicts(case._replace(outputs=[case.outputs[0] + 1]))[0].result == "wrong"
