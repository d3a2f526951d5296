"""The tables of config.toml as frozen settings; units stand in the names."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from node.config.gate import GateSettings
from node.config.label_terms import ClassName, Phrases, PlainStatement, SchemeAndValue, TitleCode, known_timezone
from node.config.monitor import MonitorSettings
from node.config.terms import CodeString, Language, Modalities, Names, ProfileName, once_each
from node.domain.cron import named_weekdays
from node.domain.profile import PROFILES
from node.domain.words import ENGLISH


def _ae_title(value: str) -> str:
    stripped = value.strip(" ")
    if not 0 < len(stripped) <= 16 or not stripped.isascii() or not stripped.isprintable() or "\\" in stripped:
        raise ValueError("an AE title has 1 to 16 printable ASCII characters and no backslash (DICOM PS3.5 6.2)")
    return stripped


def _youngest_first(value: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= value[0] <= value[1]:
        raise ValueError("the youngest age comes first, then the oldest, both in years and not below 0")
    return value


def _five_fields(value: str) -> str:
    if value:
        named_weekdays(value)
    return value


def _supported(value: str) -> str:
    if value and not value.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("sqlite:///PATH and postgresql+psycopg://USER@HOST/NAME are supported")
    return value


AETitle = Annotated[str, AfterValidator(_ae_title)]
# TOML has types of its own: a flag written as a string is a mistake, and guessing what it means could open the node
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=1)]
Amount = Annotated[int, Field(strict=True, ge=0)]
Port = Annotated[int, Field(strict=True, ge=0, le=65535)]
PeerPort = Annotated[int, Field(strict=True, ge=1, le=65535)]
# A week: no clock of the system, nor of Python, takes "inf" or what a slip of the finger makes of 60
_LONGEST_S = 7 * 24 * 3600
Seconds = Annotated[float, Field(strict=True, gt=0, le=_LONGEST_S)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Intent = Literal["FOR PRESENTATION", "FOR PROCESSING"]
OutcomeName = Literal["positive", "negative", "not_assessed"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class NodeSettings(_Table):
    """[node]: who this node is and where it keeps things."""

    ae_title: AETitle
    bind: str = "0.0.0.0"  # noqa: S104 - a DICOM node is there to be reached; AE titles are checked
    port: Port = 11112
    data_dir: Path = Path("var")
    drain_timeout_s: Seconds = 30


class ReceiveSettings(_Table):
    """[receive]: whom it lets in, and its limits."""

    reader: Literal["fast", "pynetdicom"] = "fast"
    accept_any_calling_ae: Flag = False
    max_associations: Count = 20
    max_associations_per_address: Count = 16
    max_instance_mb: Count = 2048
    association_timeout_s: Seconds = 30
    pdu_timeout_s: Seconds = 60
    idle_timeout_s: Seconds = 120
    processes: Annotated[int, Field(strict=True, ge=0, le=64)] = 0  #: 0: as many as the machine suits


class PeerSettings(_Table):
    """[[peers]]: a remote application entity, what it may send and what it gets."""

    name: Name
    ae_title: AETitle
    host: Annotated[str, Field(min_length=1)]
    port: PeerPort
    may_send: Flag = False
    gets: Annotated[tuple[Literal["report", "text", "heatmap"], ...], AfterValidator(once_each)] = ()
    outcomes: Annotated[tuple[OutcomeName, ...], AfterValidator(once_each)] = ("positive", "negative", "not_assessed")
    profile: ProfileName = "default"
    language: Language = ENGLISH
    test: Flag = False
    storage_commitment: Flag = False
    takes_rejection_notes: Flag = False
    quiet_period_s: Annotated[float, Field(strict=True, ge=0, le=_LONGEST_S)] | Literal["learnt"] | None = None
    one_study_per_association: Flag = False
    query: Flag = False
    urgent: Flag = False

    @model_validator(mode="before")
    @classmethod
    def _gets_what_its_profile_says(cls, given: Any) -> Any:
        profile = given.get("profile") if isinstance(given, dict) else None
        if not isinstance(profile, str) or profile not in PROFILES:
            return given
        return {"gets": PROFILES[profile].gets} | given

    @model_validator(mode="after")
    def _gets_what_goes_beside_a_report_with_it(self) -> Self:
        if self.gets and "report" not in self.gets:
            raise ValueError(f'gets = {list(self.gets)}: a text and heat maps go beside a report: add "report"')
        return self


class DatabaseSettings(_Table):
    """[database]: one URL; its password may come from a file or the environment."""

    url: Annotated[str, AfterValidator(_supported)] = ""
    password_file: Path | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether it is a file that one process alone writes, and not a server."""
        return not self.url or self.url.startswith("sqlite:")


class StorageSettings(_Table):
    """[storage]: what must stay free on the disk, and what may be removed from it."""

    min_free_mb: Amount = 2048
    min_free_inodes: Amount = 10000
    keep_days: Annotated[int, Field(strict=True, ge=0, le=36500)] = 30
    max_used_mb: Amount = 0

    @model_validator(mode="after")
    def _keeps_something(self) -> Self:
        if self.max_used_mb and not self.keep_days:
            raise ValueError("max_used_mb needs keep_days: a study's files stay so long, however full it is")
        return self


class StudySettings(_Table):
    """[study]: when a study counts as complete."""

    quiet_period_s: Annotated[float, Field(strict=True, ge=0, le=_LONGEST_S)] = 60
    max_wait_s: Seconds = 900
    release_grace_s: Annotated[float, Field(strict=True, ge=0, le=_LONGEST_S)] = 5
    ai_manufacturers: tuple[str, ...] = ()


class WorkSettings(_Table):
    """[work]: how reading is done."""

    processes: Annotated[int, Field(strict=True, ge=1, le=64)] = 1
    decoders: Annotated[int, Field(strict=True, ge=1, le=64)] = 2
    batch: Annotated[int, Field(strict=True, ge=1, le=256)] = 32
    deadline_s: Seconds = 120
    attempts: Count = 5
    memory_mb: Annotated[int, Field(strict=True, ge=1024)] = 4096  # libraries and a bundle take up half of the least


class DeliverSettings(_Table):
    """[deliver]: how long results wait, and when nothing is tried at a peer that does not answer."""

    max_result_age_s: Seconds = 14400
    age_alarm_s: Seconds = 3600
    identity_wait_s: Annotated[float, Field(strict=True, ge=0, le=_LONGEST_S)] = 900
    breaker_failures: Count = 3
    breaker_pause_s: Seconds = 10


class CommitmentSettings(_Table):
    """[commitment]: storage commitment, asked of peers and served to them."""

    serve: Flag = False
    answer_within_s: Seconds = 3600


class ModelSettings(_Table):
    """[[models]]: seeds a name that the registry does not know yet."""

    name: Name
    bundle: str = "starter"
    public_key: Path | None = None
    modalities: Modalities = ("CR", "DX")
    body_parts: tuple[CodeString, ...] = ("CHEST",)
    senders: tuple[AETitle, ...] = ()
    age_years: Annotated[tuple[float, float], AfterValidator(_youngest_first)] | None = None
    views: tuple[CodeString, ...] = ()
    manufacturers: Names = ()
    institutions: Names = ()
    presentation_intents: Annotated[tuple[Intent, ...], Field(min_length=1)] = ("FOR PRESENTATION",)
    min_images: Count = 1
    max_images: Count | None = None
    max_frames: Count = 1
    aggregation: Literal["any", "maximum", "mean", "top-k"] = "any"
    top_k: Count = 3
    mode: Literal["shadow", "active", "off"] = "shadow"

    @model_validator(mode="after")
    def _fewest_first(self) -> Self:
        if self.max_images is not None and self.max_images < self.min_images:
            raise ValueError(
                f"max_images {self.max_images} is below min_images {self.min_images}: no study has so many"
            )
        return self


class LabelSettings(_Table):
    """[labels]: what readers call the classes, and how their objects are read."""

    aliases: dict[ClassName, Phrases] = {}
    codes: dict[ClassName, tuple[SchemeAndValue, ...]] = {}
    titles: dict[TitleCode, PlainStatement] = {}
    timezone: Annotated[str, AfterValidator(known_timezone)] = ""


class RetrainSettings(_Table):
    """[retrain]: when the node trains from its labels, with what, and within which limits."""

    schedule: Annotated[str, AfterValidator(_five_fields)] = ""  #: off where empty
    models: tuple[Name, ...] = ()  #: the only one that is registered where empty
    min_new_labels: Count = 50
    approval: Flag = True
    recipe: Annotated[str, Field(min_length=1)] = "site-64"
    start: Literal["scratch", "champion", "beside"] = "scratch"
    replay: tuple[Path, ...] = ()
    issuer: str = ""  #: of headers that name none
    synthetic: Flag = False
    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] = 1
    memory_mb: Annotated[int, Field(strict=True, ge=4096)] = 16384
    deadline_s: Seconds = 24 * 3600

    @model_validator(mode="after")
    def _tells_sources_apart(self) -> Self:
        names = ["site", *(path.resolve().name for path in self.replay)]  # "site" is what the site's own are called
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"replay: images are told apart by their folder's name, and {', '.join(twice)} would stand for two "
                "sources: rename a folder"
            )
        return self


class GoLiveSettings(_Table):
    """[go_live]: what a model needs before its reports go to clinical peers."""

    require_validation: Flag = True
    min_labelled: Count = 30  #: studies of each kind


class LogSettings(_Table):
    """[log]: how much is said on stderr, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Settings(_Table):
    """The whole configuration."""

    node: NodeSettings
    receive: ReceiveSettings = ReceiveSettings()
    peers: tuple[PeerSettings, ...] = ()
    database: DatabaseSettings = DatabaseSettings()
    storage: StorageSettings = StorageSettings()
    study: StudySettings = StudySettings()
    work: WorkSettings = WorkSettings()
    deliver: DeliverSettings = DeliverSettings()
    commitment: CommitmentSettings = CommitmentSettings()
    models: tuple[ModelSettings, ...] = ()
    go_live: GoLiveSettings = GoLiveSettings()
    labels: LabelSettings = LabelSettings()
    retrain: RetrainSettings = RetrainSettings()
    gate: GateSettings = GateSettings()
    monitor: MonitorSettings = MonitorSettings()
    log: LogSettings = LogSettings()

    @property
    def committing_titles(self) -> frozenset[str]:
        """AE titles of the peers that are asked for storage commitment, and so tell what they commit to."""
        return frozenset(peer.ae_title for peer in self.peers if peer.storage_commitment)

    def peer(self, name: str) -> PeerSettings | None:
        """Return the peer of that name, or None."""
        return next((peer for peer in self.peers if peer.name == name), None)
