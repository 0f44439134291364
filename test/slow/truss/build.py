"""Builds the Truss in a directory as its image would be built, into another directory."""

import sys
from pathlib import Path

from truss.contexts.image_builder.serving_image_builder import ServingImageBuilderContext
from truss.contexts.local_loader.docker_build_emulator import DockerBuildEmulator

source, build, root = map(Path, sys.argv[1:])
root.mkdir()
ServingImageBuilderContext.run(source).prepare_image_build_dir(build)
DockerBuildEmulator(build / "Dockerfile", build).run(root)
