"""How is a function compiled that only other kernels call? As code to be linked into them, and no
further.

Numba optimises every function and turns it into machine code before it links it into its callers,
where all of that is done again: the 28 functions of `serving` took 20 s of processor time so, and
take 6 s where each is optimised once, in the kernel that calls it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class LinkedLibrary(JITCodeLibrary):  # type: ignore[misc]  # Numba has no types
    """Code of one function, which other libraries link."""

    def _optimize_final_module(self) -> None:
        """Left to the libraries that link this one."""

    def _finalize_final_module(self) -> None:
        """Keep the code for linking; only the function's environment becomes machine code."""
        self._finalized = True
        self._shared_module = self._get_module_for_linking()
        self._final_module = binding.parse_assembly(_environments(self._final_module))
        super()._finalize_final_module()


def _environments(module: Any) -> str:
    """IR with the environments of `module` alone: Numba writes their addresses when it loads it."""
    names = [one.name for one in module.global_variables if one.name.startswith("_ZN08NumbaEnv")]
    return "\n".join(f'@"{name}" = common global i64 0' for name in names)


class LinkedCompiler(Compiler):  # type: ignore[misc]
    """Numba's compiler, which puts its code into a `LinkedLibrary`."""

    def define_pipelines(self) -> Any:
        state = self.state
        code = LinkedLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        code.enable_object_caching()
        state["library"] = code
        return super().define_pipelines()
