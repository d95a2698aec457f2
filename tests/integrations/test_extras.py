"""An extra that is not installed: the error has the command that installs it."""

import subprocess
import sys

import pytest

CHILD = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[2]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
try:
    __import__(sys.argv[1])
except ModuleNotFoundError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("langgraph", "langgraph", "langgraph"),
        ("openai_agents", "agents", "openai-agents"),
        ("claude_agent", "claude_agent_sdk", "claude-agent"),
        ("otel", "opentelemetry", "otel"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module, package, extra):
    command = [sys.executable, "-c", CHILD, f"casckpt.integrations.{module}", package]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith(package)
    assert f"is not installed: pip install 'casckpt[{extra}]'" in said
