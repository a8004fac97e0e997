"""How do answers, machines and models pass to other programs, and back?"""

from pimlab.interchange.results import as_json, numbers, table, writable, write_answer

__all__ = ["as_json", "numbers", "table", "writable", "write_answer"]
