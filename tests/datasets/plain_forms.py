"""A dataset in a readable form, to compare with expected values."""

from datasets.sequence_data import SequenceData


def histories(data: SequenceData) -> dict[object, list[object]]:
    """User id -> the ids of the user's items, in order."""
    result: dict[object, list[object]] = {}
    for user in range(data.num_users):
        items = data.items[data.offsets[user] : data.offsets[user + 1]]
        result[data.user_ids[user].item()] = [data.item_ids[item - 1].item() for item in items]
    return result
