#!/usr/bin/env bash
# A chat on a terminal, as a person types it: script(1) gives the terminal. Answers are cut short and
# greedy; what is looked at is what the program says, keeps and survives.
. tests/e2e/lib.sh
need_program
need_verb run "a chat"
need_model smollm2 "a chat"
command -v script >/dev/null || { skip "a chat: no script(1) here"; exit 0; }
link_models

# talk ARGS <typed >shown: escape sequences and carriage returns are taken away; $? is the program's
talk() { on_terminal "$@" | plain; return "${PIPESTATUS[0]}"; }
# exec: a shell between would take Ctrl-C too and end with 130 for it (dash does, bash does not)
on_terminal() { SHELL=/bin/sh TERM=xterm script -qefc "exec '$bin' run $*" /dev/null; }
plain() { sed 's/\x1b\[[0-9;?]*[A-Za-z]//g; s/\r//g'; }
# typed LINE...: each after a moment, Ctrl-D at the end
typed() { for line in "$@"; do sleep 0.4; printf '%s\r' "$line"; done; sleep 0.4; printf '\004'; sleep 0.2; }

shown=$(typed '/?' '/show parameters' '/set parameter temperature 0' '/set parameter heat 1' \
    '/set parameter top_p 7' '/nonsense' '/set system Be brief.' '/show system' '/show' '/set history' |
    talk smollm2)
is "Ctrl-D ends it well" $? 0
has "it says what can be typed" "$shown" "/? lists what can be typed"
has "/? lists the commands" "$shown" "/set parameter NAME VALUE"
has "a chat begins warm" "$shown" "repeat_penalty     1.1"
is "and shows its seed with all digits" "$(grep -Ec 'seed +[0-9]{12,}' <<<"$shown")" 1
has "an unknown parameter is named" "$shown" 'there is no parameter "heat"'
has "bounds are said" "$shown" "top_p must be a number from 0 to 1"
has "an unknown command is named" "$shown" 'there is no command "/nonsense"'
has "the system text is shown" "$shown" "Be brief."
has "/show says the parameters" "$shown" "134.5 M"
is "the history is private" "$(stat -c %a "$BANTAM_HOME/history")" 600
has "and holds what was typed" "$(cat "$BANTAM_HOME/history")" "/set system Be brief."

shown=$(typed 'My name is Ada.' 'What is my name?' '"""two' 'lines"""' '/save ada' '/clear' '/load ada' '/bye' |
    talk smollm2 -n 6 --temperature 0 -v)
is "/bye ends it well" $? 0
has "the second turn knows the first's tokens" "$shown" "known)"
has "a block has its own prompt" "$shown" "... lines"
has "a saved chat comes back" "$shown" 'The chat "ada" with smollm2, 6 messages.'
is "saved chats are private" "$(stat -c %a "$BANTAM_HOME/chats/ada.json")" 600
holds "they hold the turns" "$(cat "$BANTAM_HOME/chats/ada.json")" \
    '[.messages[].role] == ["user", "assistant", "user", "assistant", "user", "assistant"]
     and .messages[4].content == "two\nlines" and .model == "smollm2"'

# Ctrl-C stops the answer and not the program; the next question is answered. Each key waits for what
# must be on the screen before it: a Ctrl-C while the model loads ends the program, and rightly.
screen=$tmp/screen
# until_shown TIMES TEXT: until TEXT stands so often on the screen; what comes too late fails below
until_shown() {
    for _ in $(seq 300); do
        [ "$(grep -aoF -- "$2" "$screen" 2>/dev/null | wc -l)" -ge "$1" ] && break
        sleep 0.1
    done
    sleep 0.3 # from the words on the screen to the reading of the next key
}
: >"$screen"
{ until_shown 1 '>>> '; printf 'Write a very long story about the sea.\r'; sleep 1; printf '\003'
    until_shown 1 '(stopped)'; printf 'half a line\003'; until_shown 1 '(Ctrl-D or'
    printf 'Hi.\r'; sleep 1; printf '\003'; sleep 0.5; printf '/show parameters\r'
    until_shown 1 'repeat_penalty'; printf '\004'; sleep 0.2; } |
    on_terminal smollm2 --temperature 0 --repeat-penalty 1 >"$screen"
is "Ctrl-C does not end the program" $? 0
shown=$(plain <"$screen")
has "it stops the answer" "$shown" "(stopped)"
has "and a line" "$shown" "(Ctrl-D or /bye ends the chat)"
has "and the chat goes on" "$shown" "repeat_penalty     1"

# a full context is said, and nothing is left out silently
shown=$(typed "$(yes 'a long question' | head -60 | tr '\n' ' ')" '/show parameters' | talk smollm2 --ctx 128 -n 4)
is "a full context does not end it" $? 0
has "it says the numbers" "$shown" "above the context of 128"
has "and what to do" "$shown" "/clear begins a new conversation"
fails "an encoder is no partner" 6 "$bin" run minilm hello
done_testing
