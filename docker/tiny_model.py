"""Make a tiny Llama with random weights, small enough to serve anywhere: `tiny_model.py DIRECTORY`.

The answers are noise; what is real is the loading, the sharding and the serving.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

CORPUS = (
    "The quick brown fox jumps over the lazy dog.",
    "Two machines joined by one cable can serve a model that neither could hold alone.",
    "Tensor parallelism splits every layer, so each token crosses the link many times.",
    "Once upon a time a head node waited for its worker, and then they began to count: "
    "0 1 2 3 4 5 6 7 8 9.",
)
SPECIAL = ("<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CONTEXT = 2048  # tokens


def write_tokenizer(directory: Path) -> int:
    """Train a byte-level BPE tokenizer on CORPUS, save it and return its vocabulary size."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
    ).save_pretrained(directory)
    return tokenizer.get_vocab_size()


def write_weights(directory: Path, vocabulary: int) -> None:
    """Save a two-layer Llama whose heads divide evenly over two nodes; the seed is fixed."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
        dtype="float32",
    )
    LlamaForCausalLM(config).save_pretrained(directory)


def write_model(target: Path) -> None:
    """Put a complete model at `target`; a half-written one never appears there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        write_weights(unfinished, write_tokenizer(unfinished))
        unfinished.chmod(0o755)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: tiny_model.py DIRECTORY")
    # Nothing is downloaded: every part is made here.
    os.environ["HF_HUB_OFFLINE"] = "1"
    write_model(Path(sys.argv[1]).absolute())
