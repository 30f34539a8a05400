"""The images a node needs to be whole, and the base that the project's own images start from."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import binaries, oci
from tests.cluster.children import run_logged
from tests.cluster.errors import ClusterError
from tests.cluster.profiles import cache_root, scratch_root
from tests.cluster.progress import say

SUITE = "bookworm"
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
APPLETS = ("sh", "cat", "echo", "httpd", "ls", "mkdir", "nslookup", "rm", "sleep", "test", "touch", "true", "wget")


@dataclass(frozen=True)
class Image:
    """An archive in the cache; in a node it is known as `:dev` and by the key of its content."""

    repository: str
    key: str

    @property
    def reference(self) -> str:
        """The name that manifests use."""
        return f"{self.repository}:dev"

    @property
    def exact(self) -> str:
        """The name that changes with the content."""
        return f"{self.repository}:{self.key}"

    @property
    def archive(self) -> Path:
        """Where the archive is, once built."""
        return cache_root() / "images" / f"{self.repository.rpartition('/')[2]}-{self.key}.tar"


def addons() -> dict[str, Image]:
    """Return the images of a bare node, built where missing."""
    made = {
        program.name.removesuffix("-provisioner"): _of_program(program)
        for program in (binaries.pause(), binaries.coredns(), binaries.local_path())
    }
    return made | {"busybox": _busybox()}


def base() -> Image:
    """Return the image of a minimal Debian with Python, made from the packages of the mirror this machine uses."""
    image = Image("localhost/evermodel-base", binaries.digest([SUITE.encode(), BASE_PACKAGES.encode()]))
    if image.archive.exists():
        return image
    with tempfile.TemporaryDirectory(prefix="base-", dir=scratch_root()) as scratch:
        layer = Path(scratch, "rootfs.tar")
        argv = ["mmdebstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", SUITE, str(layer), *_sources()]
        run_logged(
            argv,
            log=cache_root() / "logs" / "base-image.log",
            what=f"making the base image, Debian {SUITE} with Python (first time ~1 min)",
        )
        oci.write_archive(image.reference, layer, image.archive)
    return image


def prune(image: Image) -> None:
    """Remove the archives of earlier contents of an image."""
    name = image.repository.rpartition("/")[2]
    for old in image.archive.parent.glob(f"{name}-{'[0-9a-f]' * 16}.tar"):
        if old != image.archive:
            old.unlink()


def _sources() -> list[str]:
    """Return the lines and files by which this machine finds Debian, so that the base comes from the same mirror."""
    legacy = Path("/etc/apt/sources.list")
    folder = Path("/etc/apt/sources.list.d")
    files = [legacy, *sorted(folder.glob("*.list")), *sorted(folder.glob("*.sources"))]
    chosen = [file for file in files if file.exists() and SUITE in file.read_text() and "debian" in file.read_text()]
    kept = [file for file in chosen if "keyrings/debian-archive" in file.read_text() or file == legacy]
    return [str(file) for file in kept or chosen]


def _of_program(program: binaries.Program) -> Image:
    image = Image(f"localhost/evermodel-{program.name.removesuffix('-provisioner')}", program.key)
    if not image.archive.exists():
        _pack(image, {program.name: binaries.build(program)}, {}, [f"/{program.name}"])
    return image


def _busybox() -> Image:
    """Return the image with a shell: the helper of the provisioner, and the smallest pod for a test."""
    found = shutil.which("busybox")
    if found is None:
        raise ClusterError("busybox is missing: install the package busybox-static")
    program = Path(found).resolve()
    image = Image("localhost/evermodel-busybox", binaries.digest([program.read_bytes(), " ".join(APPLETS).encode()]))
    if not image.archive.exists():
        _pack(image, {"bin/busybox": program}, {f"bin/{applet}": "busybox" for applet in APPLETS}, [])
    return image


def _pack(image: Image, files: dict[str, Path], links: dict[str, str], entrypoint: list[str]) -> None:
    say(f"packing {image.exact}")
    with tempfile.TemporaryDirectory(prefix="layer-", dir=scratch_root()) as scratch:
        layer = Path(scratch, "layer.tar")
        oci.layer_of(files, links, layer)
        oci.write_archive(image.reference, layer, image.archive, entrypoint=entrypoint)
    prune(image)
