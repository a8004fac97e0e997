"""Does a result hold its machine, so that a variant is told from its preset and built again?"""

import pytest
import xarray as xr

import pimlab as pim

PCM = pim.target("pcm-hermes")
VARIANTS = [
    PCM,
    PCM.but(adc=pim.ADC(bits=4)),
    PCM.but(host=pim.target("rngd")),
    pim.target("hbm-pim"),
    pim.target("warboy").but(lanes=64),
]


@pytest.mark.parametrize("machine", VARIANTS, ids=["preset", "adc", "host", "pim", "npu"])
def test_the_machine_of_a_result_is_built_again_from_a_file(machine, tmp_path):
    result = pim.run(pim.load_model("digits-mlp"), machine, None)
    assert pim.target_of(result) == machine
    result.to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    assert pim.target_of(xr.load_dataset(tmp_path / "r.nc", engine="h5netcdf")) == machine


def test_a_sweep_over_machines_keeps_each(tmp_path):
    model = pim.load_model("digits-mlp")

    @pim.study
    def converters(adc_bits, trial):
        return pim.run(model, PCM.but(adc=pim.ADC(bits=adc_bits)), None)[["energy"]]

    store = tmp_path / "s.zarr"
    swept = pim.sweep(converters, adc_bits=[4, 6], trial=[0, 1], progress=False, store=store)
    assert swept.machine_id.dims == ("adc_bits",)
    for found in (swept, xr.open_zarr(store)):
        for bits in (4, 6):
            assert pim.target_of(found.sel(adc_bits=bits)) == PCM.but(adc=pim.ADC(bits=bits))
        with pytest.raises(ValueError, match=r"holds 2 machines; select one.*isel\(adc_bits=0\)"):
            pim.target_of(found)


def test_a_sweep_of_one_machine_says_it_once():
    model = pim.load_model("digits-mlp")

    @pim.study
    def same(trial):
        return pim.run(model, PCM, None)[["energy"]]

    swept = pim.sweep(same, trial=[0, 1], progress=False)
    assert "machine_id" not in swept.coords
    assert pim.target_of(swept) == PCM


def test_what_names_no_machine_is_refused():
    with pytest.raises(TypeError, match="takes a Dataset"):
        pim.target_of("r.nc")
    with pytest.raises(ValueError, match="no attribute 'machine'"):
        pim.target_of(xr.Dataset())


def test_a_plan_is_built_again_with_its_model():
    model, npu, banks = pim.load_model("digits-mlp"), pim.target("warboy"), pim.target("gddr6-aim")
    plan = pim.Plan(model=model, machines=[npu, banks], owners={"fc2": "gddr6-aim"})
    result = pim.run(model, plan, None)
    assert pim.target_of(result, model=model) == plan
    with pytest.raises(ValueError, match=r"model=None: .*plan of the model 'digits-mlp'"):
        pim.target_of(result)
    with pytest.raises(ValueError, match="give that model"):
        pim.target_of(result, model=pim.load_model("cancer-mlp"))
