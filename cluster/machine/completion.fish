# Makes fish complete `inv`, wherever it is called from: ./inv --print-completion-script fish | source
function __spark_inv
    set -l words (commandline --tokenize --cut-at-cursor) (commandline --current-token)
    set -l candidates (eval $words[1] --complete -- (string escape -- $words[2..]) 2>/dev/null)
    and test -n "$candidates"
    and printf '%s\n' $candidates
    or __fish_complete_path (commandline --current-token)
end
complete --command inv --no-files --arguments '(__spark_inv)'
