from .arrays import write_arrays as write_arrays
from .checkpoint_file import DamagedCheckpoint as DamagedCheckpoint
from .checkpoint_file import UnusableCheckpoint as UnusableCheckpoint
from .checkpoint_file import load_checkpoint as load_checkpoint
from .checkpoint_file import save_checkpoint as save_checkpoint
from .checkpoints import Checkpoints as Checkpoints
from .compilation import compilation_seconds as compilation_seconds
from .compilation import compiled_beside as compiled_beside
from .compilation import without_compilation_cache as without_compilation_cache
from .cores import usable_cores as usable_cores
from .differences import run_differences as run_differences
from .directory import RunDirectory as RunDirectory
from .driver import ADDED_METRICS as ADDED_METRICS
from .driver import Job as Job
from .driver import Outcome as Outcome
from .driver import drive as drive
from .durable import write_durably as write_durably
from .experiments import SCALES as SCALES
from .experiments import ExperimentCard as ExperimentCard
from .experiments import ScaleName as ScaleName
from .experiments import begin_or_go_on as begin_or_go_on
from .experiments import experiment_folder as experiment_folder
from .experiments import saying_how_to_go_on as saying_how_to_go_on
from .gang import Gang as Gang
from .gang import GangBroken as GangBroken
from .gang import follow as follow
from .gang import lead as lead
from .gang import together as together
from .interruption import GivenUp as GivenUp
from .interruption import Interrupted as Interrupted
from .interruption import Interruption as Interruption
from .interruption import leave_when_insisted as leave_when_insisted
from .memory import peak_memory_mb as peak_memory_mb
from .metric_log import MetricLog as MetricLog
from .npz_checkpoints import NpzCheckpoints as NpzCheckpoints
from .orbax_checkpoints import OrbaxCheckpoints as OrbaxCheckpoints
from .progress import PlainProgress as PlainProgress
from .progress import Progress as Progress
from .progress import SilentProgress as SilentProgress
from .progress import position_text as position_text
from .progress import progress_on_stderr as progress_on_stderr
from .provenance import changed_bits as changed_bits
from .provenance import changed_code as changed_code
from .provenance import collect_provenance as collect_provenance
from .pruning import prune as prune
from .pruning import prune_plan as prune_plan
from .refusal import leaving_nothing_if_refused as leaving_nothing_if_refused
from .results import RESULT as RESULT
from .results import no_result_yet as no_result_yet
from .results import stored_result as stored_result
from .results import telling_of_damage as telling_of_damage
from .resuming import REPRODUCTION as REPRODUCTION
from .resuming import owner_of as owner_of
from .resuming import resume_command as resume_command
from .resuming import saying_how_to_resume as saying_how_to_resume
from .resuming import stands_for as stands_for
from .resuming import tell_what_changed as tell_what_changed
from .status import RunStatus as RunStatus
from .status import find_runs as find_runs
from .status import run_status as run_status
from .trees import flatten_tree as flatten_tree
from .trees import restore_tree as restore_tree

__all__ = [
    "ADDED_METRICS",
    "REPRODUCTION",
    "RESULT",
    "SCALES",
    "Checkpoints",
    "DamagedCheckpoint",
    "ExperimentCard",
    "Gang",
    "GangBroken",
    "GivenUp",
    "Interrupted",
    "Interruption",
    "Job",
    "MetricLog",
    "NpzCheckpoints",
    "OrbaxCheckpoints",
    "Outcome",
    "PlainProgress",
    "Progress",
    "RunDirectory",
    "RunStatus",
    "ScaleName",
    "SilentProgress",
    "UnusableCheckpoint",
    "begin_or_go_on",
    "changed_bits",
    "changed_code",
    "collect_provenance",
    "compilation_seconds",
    "compiled_beside",
    "drive",
    "experiment_folder",
    "find_runs",
    "flatten_tree",
    "follow",
    "lead",
    "leave_when_insisted",
    "leaving_nothing_if_refused",
    "load_checkpoint",
    "no_result_yet",
    "owner_of",
    "peak_memory_mb",
    "position_text",
    "progress_on_stderr",
    "prune",
    "prune_plan",
    "restore_tree",
    "resume_command",
    "run_differences",
    "run_status",
    "save_checkpoint",
    "saying_how_to_go_on",
    "saying_how_to_resume",
    "stands_for",
    "stored_result",
    "tell_what_changed",
    "telling_of_damage",
    "together",
    "usable_cores",
    "without_compilation_cache",
    "write_arrays",
    "write_durably",
]
