#!/bin/sh
# Loads the image on its input, and passes the stream on to the next node of a chain meanwhile.
#
# Arguments: this node's number, then `PORT:USER@ADDRESS` of each node after it. LOAD is the command
# that loads the image, MARK begins each line of the report, SSH is how the next node is reached.
#
# `cluster/ship/chain.py` makes one word of this file: it drops comments and joins the lines. Login
# shells pass that word on in single quotes, so it has none of them, no new lines, and no `!` before
# a word, of which C shells make something else.

number=$1
next=$((number + 1))
hop=$2
shift
exec 4>&1 5<&0

# Print the output of the load line by line, and its exit code.
load() {
  output=$({ eval "$LOAD"; } 2>&1)
  code=$?
  printf "\n"
  printf "%s\n" "$output" | while IFS= read -r line; do
    printf "%s %s output %s\n" "$MARK" "$number" "$line"
  done
  printf "%s %s ended %s\n" "$MARK" "$number" "$code"
}

# An SSH server that waits for input does not notice a cut cable, and its client cannot make it ask
# (sshd_config(5), ClientAliveInterval). So a byte is sent up at times: all ends when it cannot be
# written, or was sent seven times without an answer in half a minute (proc_net_tcp.rst, retrnsmt).
watch() {
  # shellcheck disable=SC2086 # four words
  set -- $SSH_CONNECTION
  [ $# = 4 ] || return
  trap "" PIPE
  ports=$(printf "%04X%04X" "$4" "$2")
  while sleep 5 >&- 2>&- 4>&-; do
    printf "\n" 2>&- || kill 0
    while read -r _ local_end remote_end _ _ _ retries _; do
      case ${local_end##*:}${remote_end##*:}:$retries in
        "$ports":0000000[0-6]) ;;
        "$ports":*) kill 0 ;;
      esac
    done </proc/net/tcp
  done
}
watch 5<&- &
watcher=$!

if [ -z "$hop" ]; then
  load 4>&- 5<&-
  kill "$watcher" 2>&-
  exit 0
fi

# The next node gets this text too, `$0`, so that a long chain takes no quotes within quotes.
shift
quote=$(printf "\047")
others=
for word; do
  others="$others $quote$word$quote"
done
command="sh -c ${quote}eval \"\$0\"$quote $quote$0$quote $next$others"

# Only its two ends hold a pipe open: else the next node would wait for the end of this one's load
# (`exec`: dash keeps what it redirects otherwise). `tee -p` outlives its readers (coreutils 8.24).
# shellcheck disable=SC2086 # several words
report=$({
  tee -p /dev/fd/3 <&5 4>&- 5<&- | {
    exec >&4 3>&- 4>&- 5<&-
    load
  } &
  exec >&4 3>&- 5<&-
  wait
} 3>&1 |
  $SSH -p "${hop%%:*}" -- "$(printf %b "${hop#*:}")" "$command" 2>&1 4>&- 5<&-)
printf "\n"
printf "%s\n" "$report" | while IFS= read -r line; do
  case $line in
    "$MARK "* | "") ;;
    *) line="$MARK $next connection $line" ;;
  esac
  printf "%s\n" "$line"
done
kill "$watcher" 2>&-
exit 0
