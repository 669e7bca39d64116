from .arrays import write_arrays as write_arrays
from .checkpoint_file import DamagedCheckpoint as DamagedCheckpoint
from .checkpoint_file import UnusableCheckpoint as UnusableCheckpoint
from .checkpoint_file import load_checkpoint as load_checkpoint
from .checkpoint_file import save_checkpoint as save_checkpoint
from .checkpoints import Checkpoints as Checkpoints
from .checkpoints import NpzCheckpoints as NpzCheckpoints
from .compilation import without_compilation_cache as without_compilation_cache
from .directory import RunDirectory as RunDirectory
from .driver import Job as Job
from .driver import Outcome as Outcome
from .driver import drive as drive
from .durable import write_durably as write_durably
from .experiments import REPRODUCTION as REPRODUCTION
from .experiments import SCALES as SCALES
from .experiments import ExperimentCard as ExperimentCard
from .experiments import ScaleName as ScaleName
from .experiments import begin_or_go_on as begin_or_go_on
from .experiments import experiment_folder as experiment_folder
from .experiments import saying_how_to_go_on as saying_how_to_go_on
from .interruption import Interruption as Interruption
from .memory import peak_memory_mb as peak_memory_mb
from .metric_log import MetricLog as MetricLog
from .orbax_checkpoints import OrbaxCheckpoints as OrbaxCheckpoints
from .progress import PlainProgress as PlainProgress
from .progress import Progress as Progress
from .progress import SilentProgress as SilentProgress
from .progress import progress_on_stderr as progress_on_stderr
from .provenance import collect_provenance as collect_provenance
from .provenance import differing_bits as differing_bits
from .trees import flatten_tree as flatten_tree
from .trees import restore_tree as restore_tree

__all__ = [
    "REPRODUCTION",
    "SCALES",
    "Checkpoints",
    "DamagedCheckpoint",
    "ExperimentCard",
    "Interruption",
    "Job",
    "MetricLog",
    "NpzCheckpoints",
    "OrbaxCheckpoints",
    "Outcome",
    "PlainProgress",
    "Progress",
    "RunDirectory",
    "ScaleName",
    "SilentProgress",
    "UnusableCheckpoint",
    "begin_or_go_on",
    "collect_provenance",
    "differing_bits",
    "drive",
    "experiment_folder",
    "flatten_tree",
    "load_checkpoint",
    "peak_memory_mb",
    "progress_on_stderr",
    "restore_tree",
    "save_checkpoint",
    "saying_how_to_go_on",
    "without_compilation_cache",
    "write_arrays",
    "write_durably",
]
