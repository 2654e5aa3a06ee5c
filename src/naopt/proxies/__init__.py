"""Zero-cost proxies: what a network says of itself before it is trained. Imports torch only to compute."""

from naopt.proxies import gradients, jacobian, patterns, sizes, synflow, zen
from naopt.proxies.registry import Proxy, proxies, proxies_for
from naopt.proxies.settings import ProxySettings

__all__ = [
    "Proxy",
    "ProxySettings",
    "gradients",
    "jacobian",
    "patterns",
    "proxies",
    "proxies_for",
    "sizes",
    "synflow",
    "zen",
]
