"""Make a tiny Llama that has learned a few sentences by heart: `tiny_model.py DIRECTORY`.

It is small enough to serve anywhere. Its answers are known, so a right answer proves that the
weights were split correctly, and the partial results summed correctly, across the nodes.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

SPECIAL = ("<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>")
CORPUS = (
    "The quick brown fox jumps over the lazy dog.</s>",
    "Two machines joined by one cable serve a model that neither could hold alone.</s>",
    (
        "Once upon a time a head node waited for its worker, and together they began to count: "
        "one, two, three, four, five, six, seven, eight, nine, ten.</s>"
    ),
    "<s><|user|>Who are you?</s><|assistant|>A tiny model, split over two nodes.</s>",
)
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CONTEXT = 2048  # tokens
STEPS = 60  # of training: the loss is below 0.01 after 40


def trained_tokenizer() -> Any:
    """Train a byte-level BPE tokenizer on CORPUS; each byte that it lacks is a separate token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
    )


def trained_model(tokenizer: Any) -> Any:
    """Train a two-layer Llama on CORPUS. Its 4 heads and 2 KV heads divide evenly by two."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    torch.set_num_threads(1)  # the same sums in the same order on every machine
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
        dtype="float32",
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    sentences = [tokenizer(text, return_tensors="pt").input_ids for text in CORPUS]
    for _ in range(STEPS):
        optimizer.zero_grad()
        for sentence in sentences:
            model(sentence, labels=sentence).loss.backward()
        optimizer.step()
    return model


def write_model(target: Path) -> None:
    """Write the model to `target`, which never holds an incomplete one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        tokenizer = trained_tokenizer()
        tokenizer.save_pretrained(unfinished)
        trained_model(tokenizer).save_pretrained(unfinished)
        # Transformers makes weights readable by their owner only; a node may run as another user.
        for path in (unfinished, *unfinished.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("usage: tiny_model.py DIRECTORY")
    # All parts are made here, so nothing has to be searched for on the network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    write_model(Path(sys.argv[1]).absolute())
