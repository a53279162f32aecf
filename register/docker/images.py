"""What a container has from its image, where its own description leaves that open."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from register.docker.connection import Connection, Gone, NotAllowed
from register.docker.container import Container

# No name has so many digits of its own image's id by chance; and docker images shows 12.
_TOO_MANY_TO_MATCH = 8

COMPOSE = "com.docker.compose."
# Compose labels the images that it builds like the service, but only containers with these.
_OF_CONTAINERS = frozenset({f"{COMPOSE}oneoff", f"{COMPOSE}container-number"})


class Images:
    """Asks for a container's image if the container alone does not say enough."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def settled(self, container: Container, image_id: str, row: Mapping[str, Any]) -> Container:
        """Return a container with what its image decides; `row` is what the list shows of it."""
        if container.image_is_id and self._is_name(container.image, image_id, row):
            container = replace(container, image_is_id=False)

        by_compose = {name for name in container.labels if name.startswith(COMPOSE)}
        if by_compose and by_compose.isdisjoint(_OF_CONTAINERS):
            container = replace(container, labels=self._own_labels(container, image_id))
        return container

    def _is_name(self, image: str, image_id: str, row: Mapping[str, Any]) -> bool:
        """Whether a text is an image's name although the image's id begins with it, as `cafe` may.

        The list shows the id for an image that lost its name since; else the image has it as a tag.
        """
        if len(image) >= _TOO_MANY_TO_MATCH:
            return False
        if row.get("Image") != image:
            return True
        tags = self._described(image_id).get("RepoTags")
        return isinstance(tags, list) and f"{image}:latest" in tags

    def _own_labels(self, container: Container, image_id: str) -> Mapping[str, str]:
        """Return a container's labels without what compose wrote into its image.

        Docker gives a container all labels of its image, and an image all labels of the one that it
        was built from. That image was a compose service's; this container need not be.
        """
        config = self._described(image_id).get("Config")
        of_image = config.get("Labels") if isinstance(config, dict) else None
        if not isinstance(of_image, dict):
            return container.labels

        own = dict(container.labels)
        for name, text in container.labels.items():
            if name.startswith(COMPOSE) and of_image.get(name) == text:
                del own[name]
        return MappingProxyType(own)

    def _described(self, image_id: str) -> Mapping[str, Any]:
        """Return what the engine says of an image; nothing if it may not be asked."""
        if not image_id:
            return {}

        try:
            found = self._connection.ask(
                "inspect an image", lambda client: client.inspect_image(image_id)
            )
        except (NotAllowed, Gone):
            return {}
        return found if isinstance(found, dict) else {}
