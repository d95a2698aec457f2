"""casckpt under the interfaces of agent frameworks. Each is a module of its own, with its extra."""
