"""Every word that says why: faults of messages, rejections of answers, refusals of members, ends of rounds.

A word stands in a receipt, a refusal, a cancellation, a leaf's fate or a log line, and is never reused with another meaning. A
receiver takes one that it does not know as it takes the others: what to do follows from the message, not from the word.
"""

from collections.abc import Mapping

# A message that changed nothing. The receiver says so in its own log; only answers are replied to.
MESSAGES: Mapping[str, str] = {
    "malformed": "The bytes are not deterministic CBOR within the limits, or a field is missing or out of its range.",
    "oversized": "The message or the payload is larger than anything sound can be.",
    "unknown_type": "The type's number is not of this minor version of the protocol.",
    "topic": "The topic is not in the tree, or this type of message does not belong there.",
    "wrong_sender": "The sender speaks for somebody else.",
    "not_asked": "The sender has no seat in this round.",
    "crc": "The message was damaged on its way: its bytes are not those that its CRC-32 is of.",
    "layout": "Weights, or a description of them, do not fit together.",
}

# An answer that did not merge: the receipt is `bad`, and the sums are as they were before.
ANSWERS: Mapping[str, str] = {
    "digest": "The payload is not what its manifest names.",
    "stale_base": "The answer is relative to another version of the model than the one that was asked with.",
    "wrong_program": "The answer was made by another program than the one that was asked with.",
    "duplicate_leaf": "A device is in this round already, by this way or another.",
    "foreign_leaf": "The answer holds a device that its sender may not answer for.",
    "no_usable_updates": "No device's update is in it, or nothing that has a weight: the model stays as it is.",
    "shape": "A group is missing, unknown, or has another number of elements than the layout.",
    "dtype": "A group's numbers are of the wrong kind: float32, or encoded as asked; whole numbers from a gateway.",
    "bad_weight": "A weight is no whole number, or below 1.",
    "weight_over_cap": "A weight is above the cap for so many devices, or would pass the round's total.",
    "non_finite": "An update holds NaN or infinity.",
    "out_of_bounds": "An element is beyond the bound of the run.",
    "bad_metric": "A metric is larger than so many devices can have measured.",
}

# A member will not do what it is asked, or not now.
REFUSALS: Mapping[str, str] = {
    "not_ready": "A condition of the device does not hold: charging, idle, cool, unmetered, enough examples.",
    "no_blob": "The upper end does not have the program or the weights that its Ask names.",
    "bad_program": "The program or its layout cannot be used here.",
    "no_examples": "There is nothing here to train on.",
    "contract": "The examples here meet another data contract than the program's.",
    "examples": "The examples here do not have the form that their contract gives.",
    "diverged": "Training left the finite numbers; a smaller learning rate may hold.",
    "memory": "There is not enough memory for the program.",
    "runtime": "There is no runtime here that could run the program.",
    "store": "The disk does not do what it should.",
    "no_room": "There is no room on the disk: of a member, for what it is asked; of an upper end, for an answer.",
    "died": "The training process ended before its work did.",
    "deadline": "The time was over before the work was.",
}

# Why a round, a seat in it or an Ask is over without a fault of anybody.
ENDS: Mapping[str, str] = {
    "goal": "As many devices as were wanted have answered.",
    "all": "Nobody is left to wait for.",
    "cancelled": "The work was stopped before its end.",
    "operator": "Somebody stopped the run.",
    "answered": "The member has answered already.",
    "closed": "The round is over.",
    "newer": "A newer Ask of the same run has come.",
    "upper": "The upper end no longer wants it.",
    "lost": "The answer is no longer in the sender's store.",
    "retracted": "Somebody took the device out of the round: it is as if it had never been there.",
    "silent": "The member never replied to the Ask.",
    "late": "The member had begun, and the round closed first.",
    "away": "The member's connection was lost.",
    "gone": "The member said goodbye, or stayed away longer than the grace.",
    "refused": "The member would not; the reason follows.",
    "rejected": "The answer did not merge; the reason follows.",
}

REASONS: Mapping[str, str] = {**MESSAGES, **ANSWERS, **REFUSALS, **ENDS}
