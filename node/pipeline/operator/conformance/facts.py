"""What a configuration says on the network, as values that the statements print.

Lists come from the code that does what they say: presentation contexts, statuses, limits, and reports that are built to
be looked at. Nothing is asked of the database or of a peer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from node import __version__
from node.config import ModelSettings, PeerSettings, Settings
from node.dicom.outline.companions import Companion, companions
from node.dicom.outline.reports import Outline, outline
from node.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.domain.patient import IDENTITY_KEYS
from node.domain.profile import PROFILES, Profile
from node.domain.rejection import KEY_OBJECT_SELECTION
from node.domain.report import ModelIdentity
from node.domain.words import ENGLISH, languages
from node.network import presentation
from node.network.answer_status import Band, bands
from node.network.connection import MAXIMUM_PDU_BYTES
from node.network.presentation import syntax_name
from node.network.query import STUDY_ROOT_FIND
from node.network.refused import Rejection
from node.network.retrieve import STUDY_ROOT_MOVE
from node.pipeline.registry.catalogue import identity_of, opened


@dataclass(frozen=True, slots=True)
class Registered:
    """A SOP class or transfer syntax: its registered name and its UID."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Model:
    """A configured model as reports name it, and what its reports consist of."""

    identity: ModelIdentity
    settings: ModelSettings
    outline: Outline


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a statement says that is not the same for every node."""

    settings: Settings
    models: tuple[Model, ...]
    companions: tuple[Companion, ...]  #: of the first model: those of others differ in its values alone
    version: str = __version__
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version_name: str = IMPLEMENTATION_VERSION_NAME
    maximum_pdu_bytes: int = MAXIMUM_PDU_BYTES

    @property
    def storage_sop_classes(self) -> list[Registered]:
        """SOP classes that are taken by C-STORE, by name."""
        return sorted(map(_registered, presentation.STORAGE_SOP_CLASSES), key=lambda one: (one.name, one.uid))

    @property
    def transfer_syntaxes(self) -> list[Registered]:
        """Transfer syntaxes in which they are taken, in the node's order."""
        return [_registered(uid) for uid in presentation.TRANSFER_SYNTAXES]

    @property
    def rejections(self) -> list[Rejection]:
        """Associations that are rejected: codes and reasons."""
        return list(Rejection)

    @property
    def answers(self) -> tuple[Band, ...]:
        """What each status means that a peer answers to C-STORE."""
        return bands()

    @property
    def profiles(self) -> list[Profile]:
        """The profiles that peers of this configuration use."""
        used = dict.fromkeys(peer.profile for peer in self.settings.peers if peer.gets)
        return [PROFILES[name] for name in used]

    @property
    def sent_sop_classes(self) -> list[Registered]:
        """SOP classes that are sent by C-STORE to some peer."""
        return [_registered(uid) for uid in dict.fromkeys(self._sent())]

    @property
    def asks_for_commitment(self) -> list[PeerSettings]:
        """Peers that are asked to keep what they were sent."""
        return [peer for peer in self.settings.peers if peer.storage_commitment]

    @property
    def queried(self) -> list[PeerSettings]:
        """Peers whose studies are asked for by C-FIND of the node's own accord."""
        return [peer for peer in self.settings.peers if peer.query]

    @property
    def languages(self) -> list[str]:
        """Languages that ship, by their tags."""
        return languages()

    @property
    def query_keys(self) -> list[str]:
        """Keys of the node's own queries: whose a study is, and whether it is whole."""
        return sorted({*IDENTITY_KEYS, *_COUNTING_KEYS})

    @property
    def find_uid(self) -> str:
        """SOP Class UID of the queries."""
        return STUDY_ROOT_FIND

    @property
    def move_uid(self) -> str:
        """SOP Class UID of the retrievals."""
        return STUDY_ROOT_MOVE

    @property
    def private_schemes(self) -> list[str]:
        """Designators of the private coding schemes that reports declare."""
        return sorted({scheme for model in self.models for scheme in model.outline.private_schemes})

    def getting(self, companion: Companion) -> list[str]:
        """Return the AE titles of the peers that are sent such objects."""
        wanted = companion.gets
        peers = (one for one in self.settings.peers if (wanted in one.gets if wanted else one.takes_rejection_notes))
        return [peer.ae_title for peer in peers]

    def name_of(self, uid: str) -> str:
        """Return the registered name of a UID."""
        return syntax_name(uid)

    def _sent(self) -> Iterator[str]:
        for peer in self.settings.peers:
            if "report" in peer.gets:
                yield from PROFILES[peer.profile].sop_classes
            for extra, uid in _EXTRAS.items():
                if extra in peer.gets:
                    yield uid
            if peer.takes_rejection_notes:
                yield KEY_OBJECT_SELECTION


_COUNTING_KEYS = (
    *("StudyInstanceUID", "NumberOfStudyRelatedInstances", "ModalitiesInStudy", "StudyDate", "StudyTime"),
    *("SeriesInstanceUID", "Modality", "NumberOfSeriesRelatedInstances"),
)
_EXTRAS = {"text": "1.2.840.10008.5.1.4.1.1.88.11", "heatmap": "1.2.840.10008.5.1.4.1.1.7"}


def facts_of(settings: Settings) -> Facts:
    """Return what a configuration says on the network.

    Raises
    ------
    OperatorError
        Where a configured bundle cannot be used.
    """
    models = tuple(_model(settings, model) for model in settings.models)
    beside = companions(models[0].identity, *_shape(settings)) if models else ()
    return Facts(settings, models, beside)


def _model(settings: Settings, model: ModelSettings) -> Model:
    identity = identity_of(model.name, opened(model.bundle, model.public_key))
    return Model(identity, model, outline(identity, *_shape(settings), model.modalities))


def _shape(settings: Settings) -> tuple[Profile, tuple[str, ...]]:
    """Return the profile of the first peer that gets reports, and the languages of all."""
    receivers = [peer for peer in settings.peers if "report" in peer.gets]
    profile = PROFILES[receivers[0].profile if receivers else "default"]
    return profile, tuple(dict.fromkeys(peer.language for peer in receivers)) or (ENGLISH,)


def _registered(uid: str) -> Registered:
    return Registered(syntax_name(uid), uid)
