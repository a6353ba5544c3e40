"""The machine that times are taken on: names, versions, clocks, temperature, energy, caches.

What an NVIDIA driver knows comes from NVML (nvidia-ml-py) where that is installed; what a machine
does not tell is None.
"""

from __future__ import annotations

import os
import platform
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch

from resnet_inspect.errors import InspectError, unknown
from resnet_inspect.measuring.measurement import Condition, Device, Software

KINDS = ("cuda", "cpu")

_CGROUP = Path("/sys/fs/cgroup")
_CPUINFO = "/proc/cpuinfo"
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def device_named(name: str | None) -> torch.device:
    """The device of this name (default: a GPU where there is one); raises InspectError."""
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind not in KINDS:
        raise unknown("device", name, KINDS)
    if kind == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise InspectError(f"{no_gpu()}; --device cpu measures the CPU")
    count = torch.cuda.device_count()
    if index and not (index.isdecimal() and int(index) < count):
        raise InspectError(
            f"device {name!r} is not there; this machine has cuda:0 to cuda:{count - 1}"
        )
    return torch.device("cuda", int(index or torch.cuda.current_device()))


def no_gpu() -> str:
    """Why there is no GPU, in words."""
    built = "sees no NVIDIA GPU" if torch.version.cuda else "is a build for CPUs only"
    return f"no CUDA device: this torch {built}"


def current(device: torch.device) -> AbstractContextManager[Any]:
    """Makes a GPU torch's current one, on which streams, events and CUDA graphs are made."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def check_alive(device: torch.device) -> None:
    """Raise InspectError where an error of the device has ended its use by this process."""
    if device.type == "cuda":
        try:
            torch.cuda.synchronize(device)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise InspectError(
                f"CUDA failed in this process ({reason}). Finished measurements are saved; "
                "run again with --resume"
            ) from None


def describe(device: torch.device) -> Device:
    """The device's name and what its speed depends on."""
    if device.type == "cpu":
        return Device(
            kind="cpu",
            name=_cpu_name(),
            cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
            threads=torch.get_num_threads(),
            capability=torch.backends.cpu.get_cpu_capability(),
            memory=_ram("MemTotal"),
            cache=cache_size(device),
        )
    properties = torch.cuda.get_device_properties(device)
    return Device(
        kind="cuda",
        name=properties.name,
        capability=f"{properties.major}.{properties.minor}",
        multiprocessors=properties.multi_processor_count,
        memory=properties.total_memory,
        cache=cache_size(device),
        driver=Nvml(device).driver(),
    )


def software() -> Software:
    """Versions that times depend on."""
    from importlib.metadata import PackageNotFoundError, version

    triton = None
    with suppress(PackageNotFoundError):
        triton = version("triton")
    return Software(
        torch=str(torch.__version__),
        resnet_inspect=version("resnet-inspect"),
        python=platform.python_version(),
        cuda=torch.version.cuda,
        cudnn=torch.backends.cudnn.version() if torch.version.cuda else None,
        triton=triton,
        system=platform.system(),
        kernel=platform.release(),
    )


def cache_size(device: torch.device) -> int:
    """Bytes of the last cache before memory: L2 of a GPU, the largest of a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).L2_cache_size)
    sizes = [_bytes(text) for path in _CACHES.glob("index*/size") if (text := _text(path))]
    return max(sizes, default=32 << 20)


def available(device: torch.device) -> int | None:
    """Bytes of memory that are free; on a CPU those of the container, if it has a limit."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    most, used = (_text(_CGROUP / f"memory.{name}") for name in ("max", "current"))
    limits = [int(most) - int(used)] if most.isdigit() and used.isdigit() else []
    free = _ram("MemAvailable")
    return min([*limits, *([free] if free is not None else [])], default=None)


def condition(device: torch.device) -> Condition:
    """How the machine is right now."""
    if device.type == "cuda":
        return Nvml(device).condition()
    load, clock = None, _line(_CPUINFO, "cpu MHz")
    with suppress(OSError, AttributeError):
        load = round(os.getloadavg()[0], 2)
    return Condition(
        clock=float(clock) if clock else None, temperature=_cpu_temperature(), load=load
    )


class Nvml:
    """What NVML tells of one GPU; None for all that it does not."""

    def __init__(self, device: torch.device) -> None:
        self._nvml: Any = None
        # The library, the driver, or the GPU's support of a query may be missing.
        with suppress(Exception):
            import pynvml

            pynvml.nvmlInit()
            uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
            self._handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            self._nvml = pynvml

    def _ask(self, query: str, *arguments: Any) -> Any:
        if self._nvml is None:
            return None
        with suppress(self._nvml.NVMLError, AttributeError):  # a later release may drop a query
            return getattr(self._nvml, query)(*arguments)
        return None

    def _ask_gpu(self, query: str, *arguments: Any) -> Any:
        return None if self._nvml is None else self._ask(query, self._handle, *arguments)

    def driver(self) -> str | None:
        """The driver's version."""
        version = self._ask("nvmlSystemGetDriverVersion")
        return version.decode() if isinstance(version, bytes) else version

    def energy(self) -> float | None:
        """Joules since the driver was loaded."""
        millijoules = self._ask_gpu("nvmlDeviceGetTotalEnergyConsumption")
        return None if millijoules is None else millijoules / 1e3

    def condition(self) -> Condition:
        """Clocks, temperature, power, and why clocks are low."""
        power = self._ask_gpu("nvmlDeviceGetPowerUsage")
        return Condition(
            clock=self._ask_gpu("nvmlDeviceGetClockInfo", 1),  # NVML_CLOCK_SM
            memory_clock=self._ask_gpu("nvmlDeviceGetClockInfo", 2),  # NVML_CLOCK_MEM
            temperature=self._ask_gpu("nvmlDeviceGetTemperature", 0),  # NVML_TEMPERATURE_GPU
            power=None if power is None else power / 1e3,
            throttle=self._ask_gpu("nvmlDeviceGetCurrentClocksThrottleReasons"),
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _bytes(text: str) -> int:
    """32768K -> bytes."""
    scale = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
    digits = text.rstrip("KMG")
    return int(digits) * scale if digits.isdigit() else 0


def _line(path: str, key: str) -> str | None:
    """What follows the first `key :` or `key:` in a file of the kernel."""
    for line in _text(Path(path)).splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def _cpu_name() -> str:
    name = _line(_CPUINFO, "model name") or platform.processor() or platform.machine()
    if not any(letter.isdigit() for letter in name):
        # A virtual machine may say no more than the maker's name, of very different processors.
        family, model = _line(_CPUINFO, "cpu family"), _line(_CPUINFO, "model")
        if family and model:
            return f"{name} family {family} model {model}"
    return name


def _cpu_temperature() -> float | None:
    zones = sorted(Path("/sys/class/thermal").glob("thermal_zone*/temp"))
    degrees = [int(text) / 1e3 for path in zones if (text := _text(path)).lstrip("-").isdigit()]
    return max(degrees, default=None)


def _ram(key: str) -> int | None:
    text = _line("/proc/meminfo", key)
    return int(text.split()[0]) * 1024 if text else None
