"""Are the Kubernetes objects of a plan what the package kubernetes takes, with the documented classes?"""

import json

import farm_examples
import pytest

import pimlab as pim
from pimlab import farm
from pimlab.farm.manifests import validated
from pimlab.farm.rules import Rules


@pytest.fixture(scope="module")
def plan():
    vision, chat = farm_examples.services(isolation="container")
    ends = {"joules": 1.0, "joules_low": 1.0, "joules_high": 1.0}
    quarter = farm.Ability(
        service="vision", offer="atom", way="container", parts=4, rate=4.9, latency=1e-2, **ends
    )
    return pim.provision(
        [vision.but(rate="14 Hz"), chat], farm_examples.offers(), farm_examples.clouds(),
        Rules(vendors=2, clouds=2), abilities=[*farm_examples.abilities(), quarter], baseline=(), seconds=20,
    )  # fmt: skip


def of(objects, kind):
    return [one for one in objects if one["kind"] == kind]


def test_the_package_kubernetes_takes_every_object(plan):
    for objects in farm.manifests(plan).values():
        assert validated(objects) == len(objects) - len(of(objects, "ResourceFlavor"))


def test_every_instance_is_a_pod(plan):
    pods = {}
    for objects in farm.manifests(plan).values():
        for one in of(objects, "Deployment"):
            service = one["metadata"]["labels"]["pimlab/service"]
            pods[service] = pods.get(service, 0) + one["spec"]["replicas"]
    many = plan.answer.instances.sum(["offer", "cloud", "period"])
    assert pods == {name: int(many.sel(service=name)) for name in pods}
    assert set(pods) == {"vision", "chat"}


def test_claims_exist_and_name_the_documented_class(plan):
    classes = {one.name: one.device_class for one in farm_examples.offers()}
    assert classes == {"warboy": "npu.furiosa.ai", "rngd": "npu.furiosa.ai",
                       "atom": "npu.rebellions.ai", "h100": "gpu.nvidia.com"}  # fmt: skip
    for objects in farm.manifests(plan).values():
        claims = {
            one["metadata"]["name"]: one
            for one in objects
            if one["kind"].startswith("ResourceClaim")
        }
        for one in of(objects, "Deployment"):
            (asked,) = one["spec"]["template"]["spec"]["resourceClaims"]
            claim = claims[asked.get("resourceClaimTemplateName") or asked["resourceClaimName"]]
            spec = claim["spec"].get("spec", claim["spec"])
            (request,) = spec["devices"]["requests"]
            offer = one["metadata"]["labels"]["pimlab/offer"]
            assert request["exactly"]["deviceClassName"] == classes[offer]


def test_slices_of_a_card_share_one_claim(plan):
    shared = [
        one for objects in farm.manifests(plan).values() for one in of(objects, "ResourceClaim")
    ]
    decks = [one for objects in farm.manifests(plan).values() for one in of(objects, "Deployment")
             if one["metadata"]["labels"]["pimlab/way"] == "container"]  # fmt: skip
    assert len(shared) == len(decks) > 0
    assert all(one["spec"]["replicas"] <= 4 for one in decks)


def test_an_offer_without_a_documented_class_is_not_guessed(plan):
    ability = plan.question.abilities[0]
    from pimlab.farm.manifests import _template

    made = _template("x", ability, farm.offer("analog-pcm"))
    (request,) = made["spec"]["spec"]["devices"]["requests"]
    assert request["exactly"]["deviceClassName"] == "pimlab.invalid.analog-pcm"
    assert validated([made]) == 1


def test_files_hold_a_list(plan, tmp_path):
    files = pim.write_manifests(plan, tmp_path / "k8s", images={"chat": "registry.local/chat:1"})
    assert [file.name for file in files] == ["cloud-0.json", "cloud-1.json", "cloud-2.json"]
    read = [json.loads(file.read_text()) for file in files]
    assert all(one["kind"] == "List" for one in read)
    images = {c["image"] for one in read for d in of(one["items"], "Deployment")
              for c in d["spec"]["template"]["spec"]["containers"]}  # fmt: skip
    assert images == {"registry.local/chat:1", "vision:latest"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda one: one["spec"].update(replica=3), "has a field that Kubernetes does not know"),
        (
            lambda one: one["spec"].pop("selector"),
            "validation error for V1DeploymentSpec\\nselector\\n  Input should be a valid",
        ),
    ],
)
def test_objects_that_are_none_are_named(plan, change, says):
    objects = next(found for found in farm.manifests(plan).values() if found)
    one = json.loads(json.dumps(of(objects, "Deployment")[0]))
    change(one)
    with pytest.raises(ValueError, match=f"Deployment .*{says}"):
        validated([one])


@pytest.mark.parametrize("one", [None, {}, {"kind": []}])
def test_what_is_no_object_is_counted_from_0_and_refused(one):
    with pytest.raises(ValueError, match=r"validated objects\[1\]=.* is no object of Kubernetes"):
        validated([{"kind": "ClusterQueue"}, one])


def test_metadata_that_is_no_table_is_refused():
    with pytest.raises(ValueError, match="Deployment 3: "):
        validated([{"kind": "Deployment", "metadata": 3}])


def test_unknown_periods_and_services_are_refused(plan):
    with pytest.raises(ValueError, match="period '2024' is not known"):
        farm.manifests(plan, "2024")
    with pytest.raises(ValueError, match="did you mean 'chat'"):
        farm.manifests(plan, images={"chatt": "x"})
