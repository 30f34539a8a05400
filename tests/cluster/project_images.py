"""The project's own images, from the Dockerfiles and locks of the checkout, on a machine without a Docker engine."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import binaries, images, oci
from tests.cluster.children import run_logged, run_quiet
from tests.cluster.errors import ClusterError
from tests.cluster.images import Image
from tests.cluster.profiles import REPO, cache_root, scratch_root
from tests.cluster.progress import say

PYTHON = "3.11"  # the base image's
NEWEST_GLIBC = 36  # the base image's, as 2.36


@dataclass(frozen=True)
class Source:
    """What one image is made from, by paths in the checkout."""

    name: str
    folder: str
    code: tuple[str, ...]

    @property
    def dockerfile(self) -> Path:
        """The recipe."""
        return REPO / self.folder / "Dockerfile"

    @property
    def lock(self) -> Path:
        """The exact packages, with hashes."""
        return REPO / self.folder / "requirements.lock"


SOURCES = (
    Source("operator", "operator", ("operator",)),
    Source("runtime", "trainer_image", ("operator", "trainer_image")),
)


def build_all() -> list[Image]:
    """Build every image whose recipe and lock are in the checkout."""
    built = []
    for source in SOURCES:
        if source.dockerfile.exists() and source.lock.exists():
            built.append(build(source))
        else:
            say(f"no {source.name} image: {source.folder} has no Dockerfile or no requirements.lock")
    return built


def build(source: Source) -> Image:
    """Build one image unless its content is built already; return its archive."""
    base = images.base()
    files = _files(source)
    parts = [base.key.encode()]
    for file in files:
        parts += [str(file).encode(), (REPO / file).read_bytes()]
    image = Image(f"localhost/evermodel-{source.name}", binaries.digest(parts))
    if image.archive.exists():
        say(f"{image.exact} is built")
        return image
    wheels = _wheels(source)
    log = cache_root() / "logs" / f"image-{source.name}.log"
    with tempfile.TemporaryDirectory(prefix="context-", dir=scratch_root()) as scratch:
        context = Path(scratch, "context")
        for file in files:
            (context / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / file, context / file)
            os.utime(context / file, (0, 0))
        _load_base(base)
        _buildah(_recipe(source, image, base, context, wheels), log, f"building {image.exact} (first time ~1 min)")
        finished = Path(scratch, "image.tar")
        # This form of archive takes the layers as they are; an OCI archive compresses each, every time.
        push = ["push", image.reference, f"docker-archive:{finished}:{image.reference}"]
        _buildah(push, log, f"archiving {image.exact}")
        finished.rename(image.archive)
    images.prune(image)
    return image


def _load_base(base: Image) -> None:
    """Make the base image known to the builder."""
    if _buildah_quiet(["inspect", "--type=image", base.exact]) != 0:
        log = cache_root() / "logs" / "base-image.log"
        _buildah(["pull", f"oci-archive:{base.archive}"], log, "loading the base image into the builder")
        _buildah(["tag", base.reference, base.exact], log, "tagging the base image")


def _recipe(source: Source, image: Image, base: Image, context: Path, wheels: Path) -> list[str]:
    """Return the build's arguments; the layer of dependencies is reused as long as lock and base stay."""
    return [
        "bud",
        "--isolation=chroot",
        "--layers",
        "--pull-never",
        f"--volume={wheels}:/wheels:ro",  # seen by the build, part of no layer
        f"--build-arg=BASE_IMAGE={base.exact}",
        f"--file={context / source.folder / 'Dockerfile'}",
        f"--tag={image.reference}",
        str(context),
    ]


def _files(source: Source) -> list[Path]:
    """List the files of the image's folders, tracked or new, as git sees them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *source.code]
    result = subprocess.run(command, cwd=REPO, check=False, capture_output=True, text=True)
    if result.returncode == 0:
        listed = [Path(name) for name in result.stdout.split("\0") if name]
    else:
        listed = [path.relative_to(REPO) for folder in source.code for path in (REPO / folder).rglob("*")]
    return sorted({path for path in listed if (REPO / path).is_file() and "__pycache__" not in path.parts})


def _wheels(source: Source) -> Path:
    """Return a folder with the wheels of a lock, downloaded and checked against its hashes once."""
    key = hashlib.sha256(source.lock.read_bytes() + PYTHON.encode()).hexdigest()[:16]
    target = cache_root() / "wheels" / f"{source.name}-{key}"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{source.name}-", dir=scratch_root()))
    argv = [str(_pip()), "download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir"]
    argv += [f"--python-version={PYTHON}", "--implementation=cp", f"--abi=cp{PYTHON.replace('.', '')}"]
    argv += ["--abi=abi3", "--abi=none", *(f"--platform={tag}" for tag in _platforms())]
    argv += [f"--dest={scratch}", f"--requirement={source.lock}"]
    try:
        log = cache_root() / "logs" / f"wheels-{source.name}.log"
        run_logged(argv, log=log, what=f"downloading the wheels of {source.folder}/requirements.lock")
        scratch.chmod(0o755)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for old in target.parent.glob(f"{source.name}-*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    return target


def _platforms() -> list[str]:
    """Return the platforms whose wheels run on the base image, the newest first."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(oci.architecture(), oci.architecture())
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC, 4, -1)]
    return [*tags, f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]


def _pip() -> Path:
    """Return a pip of the tool's own, for a Debian Python has none."""
    folder = cache_root() / "pip"
    if not (folder / "complete").exists():
        log = cache_root() / "logs" / "pip.log"
        run_logged([sys.executable, "-m", "venv", "--clear", str(folder)], log=log, what="preparing pip")
        (folder / "complete").touch()
    return folder / "bin" / "pip"


def _buildah(arguments: list[str], log: Path, what: str) -> None:
    """Run buildah in namespaces of its own: killed, it leaves no mount and no process."""
    run_logged([*_builder(), *arguments], log=log, what=what)


def _buildah_quiet(arguments: list[str]) -> int:
    return run_quiet([*_builder(), *arguments]).returncode


def _builder() -> list[str]:
    if shutil.which("buildah") is None:
        raise ClusterError("buildah is missing: install the package buildah")
    private = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    storage = [f"--root={cache_root() / 'buildah'}", "--runroot=/run/evermodel-buildah", "--storage-driver=overlay"]
    # A run-time folder in memory of these namespaces only: nothing of a killed build is there for the next.
    inside = 'mount -t tmpfs tmpfs /run && exec buildah "$@"'
    return [*private, "sh", "-c", inside, "buildah", *storage]
