"""The user's own file of interactions: CSV, TSV, Parquet, RecBole's .inter, SASRec's text, or one line per user."""

import logging
from pathlib import Path

from common.errors import UserError
from common.texts import value_hash
from datasets.appended import folders_of, join_rows, read_pieces
from datasets.base import CACHED_LOGGERS, Dataset, RawInteractions
from datasets.cache import CACHE_VERSION
from datasets.data_files import PACKED, data_files, is_pattern
from datasets.file_options import FileOptions
from datasets.fingerprint import content_hash
from datasets.funnel import Funnel, Step, joined
from datasets.own_split import read_with_parts
from datasets.readers.ids import MISSING, IdRules
from datasets.readers.table import BadRows
from datasets.readers.user_file import read_table
from datasets.readers.values import to_interactions
from datasets.rows import Rows
from datasets.sequence_data import SequenceData

log = logging.getLogger(__name__)

SUFFIXES = (*PACKED, ".csv", ".tsv", ".txt", ".dat", ".inter", ".parquet", ".ratings", ".json", ".jsonl", ".ndjson")
MISSING_IN_FILES = (*MISSING, "null", "NA", "N/A", "n/a", "#N/A", "None")
APPENDED = "&"  # between the content keys of a file and of those that continue it
MIN_REPEAT_RATE = 0.01  # share of repeated interactions above which the data has repeat consumption


class File(Dataset[FileOptions]):
    """Interactions in a file of the user's. Without timestamps, the rows are assumed to be in time order."""

    code = "file"
    reader_version = 5
    Options = FileOptions
    description = (
        "your own files: CSV, TSV, Parquet, RecBole .inter, SASRec text, one line per user; may be packed or in parts"
    )
    location_options = Dataset.location_options | {
        "dataset_path", "appended_paths", "dataset_name", "validation_path", "test_path",
        "dataset_query", "memory_limit",
    }  # fmt: skip

    def name(self, options: FileOptions) -> str:
        """dataset_name, or the file's or folder's name without suffixes of formats: sales.2023 for sales.2023.csv."""
        path = options.dataset_path
        while is_pattern(path):
            path = path.parent.resolve()
        while path.suffix.lower() in SUFFIXES:
            path = path.with_suffix("")
        return options.dataset_name or path.name.lstrip(".") or self.code

    def content_key(self, options: FileOptions) -> str:
        """The hash of each file, and `.inter` if it is a suffix, since that determines the format."""
        keys = [_content_key("dataset_path", options.dataset_path, options)]
        keys += [_content_key(key, path, options) for key, path in options.more_files.items()]
        appended = [_content_key("appended_paths", path, options) for path in options.appended_paths or ()]
        keys += [] if options.dataset_query is None else [f"query {options.dataset_query}"]
        return APPENDED.join(["+".join(keys), *appended])

    def rows(self, options: FileOptions) -> tuple[Rows, Funnel]:
        """The rows of all files. Those of `appended_paths` that were read before come from the cache."""
        if not options.appended_paths:
            return self._rows_of_path(options)
        rules, paths = options.rules(), (options.dataset_path, *options.appended_paths)
        how = {
            "cache": CACHE_VERSION,
            "reader": f"{self.code}/{self.reader_version}",
            "options": options.model_dump(mode="json", exclude={*self.location_options, *vars(rules), "items_repeat"}),
            "in_time_order": rules.ignores_row_order,
        }
        folders = folders_of(options.local_data_folder / "prepared", how, self.content_key(options).split(APPENDED))

        def read(path: Path) -> Rows:
            alone = options.model_copy(update={"dataset_path": path, "appended_paths": None})
            return self._rows_of_path(alone)[0]

        rows = read_pieces(paths, folders, read, CACHED_LOGGERS, rules.ignores_row_order)
        return rows, (Step(f"rows of {len(paths)} files (appended_paths)", len(rows)),)

    def _rows_of_path(self, options: FileOptions) -> tuple[Rows, Funnel]:
        """The rows of dataset_path: of a file or a query, or of the files of a folder, one below the other."""
        files = data_files(options.dataset_path)
        if len(files) == 1 or options.more_files or options.dataset_query is not None:
            return super().rows(options)
        read = [super(File, self).rows(options.model_copy(update={"dataset_path": file})) for file in files]
        funnels = [funnel or (Step("rows of the file", len(piece)),) for piece, funnel in read]
        rows = join_rows([piece for piece, _ in read], files, options.scratch)
        return rows, joined(funnels, f"rows of {len(files)} files")

    def read(self, options: FileOptions) -> RawInteractions:
        """Read the file in the given or detected format, and those of validation and test if there are any."""
        if not options.more_files:
            return self._read_file(options)
        alone = {"validation_path": None, "test_path": None}
        return read_with_parts(
            options,
            options.dataset_path,
            lambda path: self._read_file(options.model_copy(update={**alone, "dataset_path": path})),
        )

    def _read_file(self, options: FileOptions) -> RawInteractions:
        files = data_files(options.dataset_path)
        if options.dataset_query is None:
            if len(files) > 1:
                raise UserError(f"{options.dataset_path}: with validation_path and test_path, give one file for each")
            options = options.model_copy(update={"dataset_path": files[0]})
        bad_rows = BadRows(options.skip_bad_rows)
        return to_interactions(
            read_table(options, bad_rows),
            bad_rows,
            time_format=options.timestamp_format,
            ids=IdRules(MISSING_IN_FILES, foreign=True),
            rating_advice=" (to ignore ratings, give --rating_column '')",
        )

    def has_repeat_consumption(self, options: FileOptions, data: SequenceData) -> bool:
        """`items_repeat`, or whether the data's repeat rate exceeds `MIN_REPEAT_RATE`."""
        if options.items_repeat is not None:
            return options.items_repeat
        repeats = data.repeat_rate > MIN_REPEAT_RATE
        if repeats:
            log.info(
                "%s: %.1f %% of the interactions are with items that the user had before, so seen items are not "
                "filtered; filter_seen and items_repeat change that",
                data.name,
                100 * data.repeat_rate,
            )
        return repeats


def _content_key(key: str, path: Path, options: FileOptions) -> str:
    """The hash of each file that option `key` stands for, and its suffix if that determines the format."""
    hashes = [
        content_hash(file, options.local_data_folder) + (".inter" if ".inter" in file.suffixes else "")
        for file in data_files(path, key)
    ]
    return hashes[0] if len(hashes) == 1 else f"{len(hashes)} files {value_hash(hashes, 64)}"
