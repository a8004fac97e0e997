"""Which step of a decoder do its operators count? One at a context length, a batch, and a number of
new tokens.
"""

from __future__ import annotations

import copy
from typing import Self

from pimlab.workload.language.shape import DecoderShape, graph, mac_ops, vector_ops
from pimlab.workload.model import Model


class CountedStep(Model):
    """A decoder whose `mac_ops` and `vector_ops` are those of one step.

    context, batch, prompt : tokens in the cache, sequences, and tokens that the step reads of each;
    `at(context=, batch=, prompt=)` gives another step.
    """

    shape: DecoderShape
    context: int
    batch: int
    prompt: int

    def _count(self, context: int, batch: int, prompt: int = 1) -> None:
        self.context, self.batch, self.prompt = context, batch, prompt
        self.mac_ops, self.vector_ops = (
            mac_ops(self.shape, context, batch, prompt),
            vector_ops(self.shape, context, batch, prompt),
        )
        self.graph = graph(self.shape)

    def at(
        self, *, context: int | None = None, batch: int | None = None, prompt: int | None = None
    ) -> Self:
        """The same model with costs counted at another context length or batch.

        prompt : tokens that one step reads at once: several are the prefill of a request, whose
        time is that to the first token (context: the prompt, unless given); 1, a decoding step.
        ValueError outside the model's context.
        """
        other = copy.copy(self)
        read = self.prompt if prompt is None else prompt
        whole = self.context if prompt is None else prompt
        other._count(
            whole if context is None else context, self.batch if batch is None else batch, read
        )
        return other
