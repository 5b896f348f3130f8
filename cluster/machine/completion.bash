# Makes Bash complete `inv`, wherever it is called from: source <(./inv --print-completion-script bash)
_spark_inv() {
    local IFS=$'\n'
    # Bash 3.2, which macOS has, knows no `mapfile`.
    # shellcheck disable=SC2207
    COMPREPLY=($("${1/#\~/$HOME}" --complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _spark_inv inv
