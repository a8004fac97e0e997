"""Does the Tab key offer the names that a function takes, and the fields of a value?"""

import pytest
from IPython.core.completer import IPCompleter, provisionalcompleter

import pimlab as pim
from pimlab.lab import completion


def _asked_to_run(*arguments):
    raise AssertionError("the completer ran a function of the notebook")


@pytest.fixture(scope="module")
def offered():
    names = {"pim": pim, "pcm": pim.target("pcm-hermes"), "mine": _asked_to_run}
    completer = IPCompleter(namespace=names, use_jedi=False)
    completer.disable_matchers = ["IPCompleter.magic_matcher"]  # it asks a whole shell
    completer.custom_matchers.append(completion.matcher(names))

    def ask(text):
        with provisionalcompleter():
            return [one.text for one in completer.completions(text, len(text))]

    return ask


def test_names_of_the_catalogue(offered):
    assert offered('pim.target("') == list(pim.targets())
    assert offered("machine = pim.run(model, pim.target('rn") == ["rngd"]
    assert offered('pim.device("pcm-herm') == ["pcm-hermes", "pcm-hermes-pair"]
    assert offered('pim.load_model("digits-m') == ["digits-mlp"]
    assert offered('pim.compare(["digits-mlp"], ["warb') == ["warboy"]
    assert offered('pim.load_data("digits", split="') == ["calibration", "test", "train"]
    assert offered('pim.load_data(\n    "dig') == ["digits"]


def test_fields_of_a_value(offered):
    assert offered("pcm.but(ad") == ["adc="]
    assert offered("pcm.adc.but(bi") == ["bits="]
    assert offered('pim.target("warboy").but(volt') == ["voltage="]
    assert offered("pim.ADC(bits=6, bi") == []
    assert offered('pcm.but(coding="off') == ["offset", "offset column"]


@pytest.mark.parametrize(
    "text",
    [
        'mine("',
        'pim.target("warboi").but(',
        "x = '(",
        "pim.target(name).but(",
        "# pim.target(",
        ")",
    ],
)
def test_nothing_is_run_and_nothing_made_up(text):
    names = {"pim": pim, "mine": _asked_to_run}
    assert completion.offers(text, names)[1] == []


def test_an_open_call_is_found_behind_texts_lists_and_comments():
    call = completion.typed_call("# don't\npim.compare(['a', \"b)\"], targets=['war")
    assert (call.called, call.keyword, call.start) == ("pim.compare", "targets", "war")
    assert completion.typed_call("pim.target('warboy')") is None
    assert completion.typed_call("{'a': f") is None
