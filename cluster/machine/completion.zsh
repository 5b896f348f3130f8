# Makes Zsh complete `inv`, wherever it is called from: source <(./inv --print-completion-script zsh)
_spark_inv() {
    local -a candidates
    candidates=("${(@f)$(${(Q)~words[1]} --complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n $candidates ]]; then compadd -- $candidates; else _files; fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _spark_inv inv
