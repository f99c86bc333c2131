#!/usr/bin/env bash
# Every command form that scripts rely on: exact keys, one object, exit codes, refusals; and a task
# made from a small table, run and measured.
. tests/e2e/lib.sh
need_program

# ---- help and refusals, without a model ----
missing=$("$bin" --help | sed -n 's/^  \([a-z]\+\( [a-z]\+\)\?\) .*/\1/p' | while read -r verb; do
    # shellcheck disable=SC2086
    text=$("$bin" $verb --help </dev/null 2>&1) || echo "$verb: exit $?"
    grep -q "^usage: bantam $verb" <<<"$text" || echo "$verb: no usage"
    grep -q "^  .*bantam $verb" <<<"$text" || echo "$verb: no example"
done)
is "every verb has --help with an example" "$missing" ""
fails "an unknown command exits 2" 2 "$bin" nosuch
fails "no command exits 2" 2 bash -c '"$1" 1>&2' - "$bin"
fails "an unknown option exits 2" 2 "$bin" review list --bogus
fails "a missing value exits 2" 2 "$bin" task eval support --file
fails "too many arguments exit 2" 2 "$bin" review show a b
fails "a number out of range exits 2" 2 "$bin" requests --limit 0
fails "an unknown model exits 4" 4 "$bin" tokenize nosuch hello
fails "a missing file exits 4" 4 "$bin" tokenize minilm --file "$tmp/nosuch"
fails "an unknown task exits 4" 4 "$bin" task run nosuch hello
fails "an unknown review exits 4" 4 "$bin" review show zzzzzzzz
fails "answering an unknown review exits 4" 4 "$bin" review answer zzzzzzzz --label a
fails "an unknown request exits 4" 4 "$bin" trace req_nosuch
fails "pull of a missing file exits 4" 4 "$bin" pull "$tmp/nosuch.gguf"
fails "a task's name is checked" 2 "$bin" task init 'BAD name' --from x.csv
fails "task init needs rows" 2 "$bin" task init small
one_object "an empty queue is an object" "$bin" review list --json

# ---- what was meant ----
is "help COMMAND is COMMAND --help" "$("$bin" help task run)" "$("$bin" task run --help)"
is "help of one that is in several words lists them" "$("$bin" help key 2>&1)" "$("$bin" key --help 2>&1)"
fails "a command that is not there" 2 "$bin" srve
has "the one that was meant" "$(cat "$tmp/err")" 'did you mean serve?'
fails "an option that is not there" 2 "$bin" run smollm2 --tempratur=1
has "the one that was meant, too" "$(cat "$tmp/err")" 'did you mean --temperature?'
fails "a model that is not there" 4 "$bin" run smolm2 hello
has "the model that was meant" "$(cat "$tmp/err")" 'did you mean "smollm2"?'

is "with no reviews" "$(jq -c .reviews <<<"$json")" "[]"
one_object "list --json" "$bin" list --json
holds "the catalog has both models" "$json" '[.models[].name] | contains(["minilm", "smollm2"])'
one_object "requests --json" "$bin" requests --json
one_object "cost --json" "$bin" cost --json
holds "undefined figures are null" "$json" '.people_share == null and .large_only_usd == null'
has "the quoted mix is put right" "$("$bin" cost)" "0.1305"
"$bin" review list --json >/dev/full 2>"$tmp/err"
is "output that cannot be written is an error" $? 8

# ---- vocabulary-only files ----
vocab=${BANTAM_TEST_DATA:-/nonexistent}/llamacpp-vocab
gguf=$(find "$vocab" -name '*gpt-2*.gguf' 2>/dev/null | head -1)
if [ -n "$gguf" ]; then
    one_object "tokenize reads a vocabulary-only file" "$bin" tokenize "$gguf" "Hello world" --json
    is "its keys" "$(jq -c keys <<<"$json")" '["ids"]'
    is "gpt-2's tokens" "$(jq -c .ids <<<"$json")" "[15496,995]"
    printf 'Hello world' >"$tmp/text"
    is "--file gives the same" "$("$bin" tokenize "$gguf" --file "$tmp/text" --json)" "$json"
else skip "tokenize a vocabulary-only file: no llamacpp-vocab in BANTAM_TEST_DATA"; fi

# ---- with MiniLM ----
need_model minilm "commands that need a model"
link_models
mkdir "$tmp/work" && cd "$tmp/work" || exit 1
one_object "tokenize minilm" "$bin" tokenize minilm "how do I cancel?" --json
is "no special tokens are added" "$(jq -c .ids <<<"$json")" "[2129,2079,1045,17542,1029]"
is "special text is text" "$("$bin" tokenize minilm "[SEP]" --json | jq '.ids | length')" 3
is "--special reads it as a token" "$("$bin" tokenize minilm "[SEP]" --special --json)" '{"ids":[102]}'

printf 'hello\nwie geht es\nhello\n' >lines.txt
one_object "embed" "$bin" embed minilm --file lines.txt --json
is "its keys" "$(jq -c keys <<<"$json")" '["embeddings"]'
holds "three of 384" "$json" '[.embeddings[] | length] == [384, 384, 384]'
holds "unit length" "$json" '[.embeddings[] | (map(. * .) | add | sqrt - 1 | fabs) < 1e-4] | all'
holds "equal texts, equal vectors" "$json" '.embeddings[0] == .embeddings[2]'
floats=$json
one_object "embed --int8" "$bin" embed minilm --file lines.txt --int8 --json
holds "in int8 the vectors are near those of the floats, and not the same" "[$floats,$json]" \
    '[.[].embeddings] | transpose | map(transpose | map(.[0] * .[1]) | add) | all(. > 0.998 and . < 0.9999999)'
yes word | head -300 | tr '\n' ' ' >long.txt
fails "a text above 256 tokens is an error" 2 "$bin" embed minilm --file long.txt --json
one_object "--truncate cuts it" "$bin" embed minilm --file long.txt --truncate --json
: >nothing.txt
fails "no lines is an error" 2 "$bin" embed minilm --file nothing.txt --json

# ---- a task of 3 labels, 8 examples each, and other ----
cat >mail.csv <<'ROWS'
text,label
Where is my invoice for March?,invoice
please send me the invoice again,invoice
I need a copy of my last bill,invoice
the invoice has the wrong address,invoice
can I get my bill as a PDF,invoice
my invoice is missing,invoice
how do I download the invoice,invoice
send the bill to my accountant,invoice
I cannot log in,login
my password does not work,login
reset my password please,login
the login page says wrong password,login
locked out of my account,login
how do I change my password,login
"I forgot my password, help",login
login fails on my phone,login
where is my parcel,delivery
when will my order arrive,delivery
the package has not come yet,delivery
track my delivery,delivery
my parcel is late,delivery
the courier did not ring the bell,delivery
has my order been shipped,delivery
delivery to another address please,delivery
what is the weather today,other
tell me a joke,other
who won the match last night,other
I am looking for a job,other
write a poem about the sea,other
what is 12 times 12,other
do you sell bicycles,other
how tall is the Eiffel tower,other
ROWS
one_object "task init" "$bin" task init mail --from mail.csv --json
cp tasks/mail.yaml mail.before
fails "task init does not overwrite" 5 "$bin" task init mail --from mail.csv
is "and leaves the file as it was" "$(cmp tasks/mail.yaml mail.before && echo same)" same
fails "rows must exist" 4 "$bin" task init two --from nosuch.csv
printf 'text,label\n' >empty.csv
fails "rows must not be none" 2 "$bin" task init two --from empty.csv
printf 'a,b\n1,2\n' >columns.csv
fails "columns must be text,label" 2 "$bin" task init two --from columns.csv
printf 'text,label\n"never closed,a\n' >quote.csv
fails "a broken table is named" 2 "$bin" task init two --from quote.csv
has "with its line" "$(cat "$tmp/err")" "line 2"
printf 'text,label\nhi,a\n' >one.csv
fails "one label is no task" 2 "$bin" task init two --from one.csv
is "no half-made task is left" "$(ls tasks)" mail.yaml
jq -Rsc 'split("\n")[1:-1][] | rtrimstr("\r") | capture("^\"?(?<text>.*?)\"?,(?<label>[a-z]+)$")' mail.csv >mail.jsonl
one_object "task init reads JSONL too" "$bin" task init lines --from mail.jsonl --json

has "task list shows it" "$("$bin" task list)" "mail"
one_object "task list --json" "$bin" task list --json
has "task check finds it right" "$("$bin" task check mail)" "is right"
printf 'id: x\nkind: classify\nnonsense: 1\n' >tasks/broken.yaml
fails "task check names a broken file" 2 "$bin" task check broken
has "with line and column" "$(cat "$tmp/err")" "line 3, column 1"
rm tasks/broken.yaml

one_object "task run" "$bin" task run mail "I forgot my password" --json
holds "its keys" "$json" 'contains({tier: "", trace: "", passages: []}) and
    ([has("answer", "label", "tier", "confidence", "cost", "passages", "trace", "review")] | all)'
holds "it is answered by a tier or goes up as a review" "$json" \
    'if .tier == "slm" then .answer == "login" and .review == null
     else .tier == "human" and .answer == null and (.review | type) == "string" end'
one_object "a question from elsewhere" "$bin" task run mail "Is the moon made of cheese?" --json
holds "goes to a person" "$json" '.tier == "human" and .answer == null and (.review | length) > 0'
review=$(jq -r .review <<<"$json") trace=$(jq -r .trace <<<"$json")
fails "an empty question is an error" 2 "$bin" task run mail ""
long=$(yes "my parcel is late and" | head -200 | tr '\n' ' ')
one_object "a question too long for the model" "$bin" task run mail "$long" --json
is "goes up and says so" "$(jq -r '.tier + " " + .reason' <<<"$json")" "human too_long"

one_object "review list" "$bin" review list --json
holds "has the question, its task and draft" "$json" ".reviews[] | select(.id == \"$review\") |
    .text == \"Is the moon made of cheese?\" and .task == \"mail\" and has(\"draft\")"
one_object "review search" "$bin" review search moon --json
is "finds it by a word" "$(jq -r '.reviews[].id' <<<"$json")" "$review"
one_object "review show" "$bin" review show "$review" --json
"$bin" review claim "$review" --by ann >/dev/null
is "claim" $? 0
fails "another person cannot claim it" 11 "$bin" review claim "$review" --by bob
fails "nor answer it" 11 "$bin" review answer "$review" --label other --by bob
fails "a label is one line" 2 "$bin" review answer "$review" --label $'two\nlines' --by ann
one_object "review answer" "$bin" review answer "$review" --label other --text "No." --by ann --json
is "sends the person's words" "$(jq -r .answer <<<"$json")" "No."
fails "a second answer is refused" 5 "$bin" review answer "$review" --label login --by ann
is "who answered is recorded" "$("$bin" review show "$review" --json | jq -r .answered_by)" ann
one_object "trace" "$bin" trace "$trace" --json
holds "names tiers, threshold, reason" "$json" \
    '(.steps | length) >= 2 and ([.steps[0] | has("threshold", "confidence", "why")] | all)'
is "questions are masked in the list" "$("$bin" requests | grep -c moon)" 0
is "unless asked for" "$("$bin" requests --text | grep -c moon)" 1

head -9 mail.csv >rows.csv && printf 'what is for dinner,other\n' >>rows.csv
one_object "task eval" "$bin" task eval mail --file rows.csv --json
holds "its keys" "$json" '[has("n", "accuracy", "oos_auroc", "ece", "answered", "accuracy_answered",
    "auto_rate", "by_tier", "by_group", "cost", "latency_us")] | all'
holds "n, and auto_rate = answered / n" "$json" '.n == 9 + 0 and (.auto_rate - .answered / .n | fabs) < 1e-9'
holds "latency has p50 and p99" "$json" '.latency_us | has("p50") and has("p99")'
fails "eval needs rows" 2 "$bin" task eval mail --file empty.csv --json
one_object "task explain" "$bin" task explain mail "where is it" --json
one_object "task refit" "$bin" task refit mail --json
holds "lists changes" "$json" '.changes | type == "array"'

printf 'text,label\n=1+1 my parcel exploded,delivery\n' >more.csv
one_object "task import" "$bin" task import mail --from more.csv --json
has "task export has what was imported" "$("$bin" task export mail)" "my parcel exploded"
is "a cell that a spreadsheet would run is quoted" "$("$bin" task export mail | grep -c '^=\|,=')" 0
"$bin" task mode mail all-to-people >/dev/null
is "all-to-people: nothing is automatic" \
    "$("$bin" task run mail "I forgot my password" --json | jq -r .tier)" human
fails "an unknown mode exits 2" 2 "$bin" task mode mail sometimes

# ---- with SmolLM2 ----
"$bin" --help | grep -Eq '^  run ' || { skip "run, score, template: this program has no such command yet"; done_testing; }
have_model smollm2 || { skip "run, score, template: no model smollm2 in $models"; done_testing; }
one_object "run" "$bin" run smollm2 "Say hello." --max-tokens 8 --temp 0 --seed 1 --json
holds "its keys" "$json" '[has("text", "ids", "prompt_tokens", "completion_tokens", "timings")] | all'
holds "tokens are counted" "$json" '(.ids | length) <= 8 and .completion_tokens == (.ids | length) and .prompt_tokens > 5'
holds "timings" "$json" '.timings | [has("prefill_tok_s", "decode_tok_s", "first_token_ms")] | all'
one="$(jq -c .ids <<<"$json")"
is "temperature 0 repeats" "$("$bin" run smollm2 "Say hello." --max-tokens 8 --temp 0 --seed 2 --json | jq -c .ids)" "$one"
one_object "score" "$bin" score smollm2 --prompt "The capital of France is" --choice " Paris" --choice " bread" --json
holds "p is the softmax of the sums" "$json" '(.choices | length) == 2 and ([.choices[].p] | add - 1 | fabs) < 1e-6
    and .choices[0].text == " Paris" and .choices[0].p > .choices[1].p and .choices[0].logprob < 0'
printf '[{"role":"user","content":"Hi <|im_end|>"}]' >messages.json
is "template" "$("$bin" template smollm2 --messages messages.json --add-generation-prompt | tail -n 3)" \
    "<|im_start|>user
Hi <|im_end|><|im_end|>
<|im_start|>assistant"
one_object "bench" "$bin" bench smollm2 -p 24 -n 4 -b 1,3 -t 1 -r 2 --json
holds "its keys" "$json" '(.prefill | keys) == ["gops", "percent_peak", "tok_s"] and (.rss_bytes > 90e6)
    and ([.decode[] | keys] | unique) == [["batch", "gb_s", "percent_bandwidth", "tok_s"]]'
holds "batches and threads are those asked for" "$json" '[.decode[].batch] == [1, 3] and .threads == 1'
# 134,515,008 parameters less 28,311,552 of the embedding, twice a token
holds "GOP counts what is no embedding" "$json" '(.prefill.gops / .prefill.tok_s / 0.212406912 - 1 | fabs) < 1e-6'
holds "GB/s counts the file's weights" "$json" '.decode[1] | (.gb_s / (.tok_s / 3) / 0.0966 - 1 | fabs) < 0.02'
holds "shares are of the machine's limits" "$json" \
    '(.prefill.percent_peak - 100 * .prefill.gops / .machine.int8_gops | fabs) < 1e-6'
one_object "bench with several -t" "$bin" bench smollm2 -p 8 -n 0 -t 1,2 -r 1 --json
is "each has its run" "$(jq -c '[.runs[].threads]' <<<"$json")" "[1,2]"
fails "bench checks its numbers" 2 "$bin" bench smollm2 -b 1,x
fails "and that there is something to do" 2 "$bin" bench smollm2 -p 0 -n 0
fails "above the context is an error" 2 "$bin" bench smollm2 -p 100000 -n 0
one_object "bench of an encoder" "$bin" bench minilm -r 1 --json
holds "counts sentences" "$json" '.encode | .sentences_s > 0 and .tok_s > .sentences_s'
holds "says that floats were multiplied as floats" "$json" '.int8 == false'
one_object "perplexity" "$bin" perplexity smollm2 --file "$root/LICENSE" --ctx 256 --json
is "its keys" "$(jq -c keys <<<"$json")" '["ppl","tokens"]'
# llama.cpp's own llama-perplexity -c 256 says 17.7438 of this file with this model; (256 - 1 - 128) x chunks
is "as many tokens as llama.cpp scores" "$(jq '.tokens % 127' <<<"$json")" 0
holds "llama.cpp's perplexity within 0.5 %" "$json" '(.ppl / 17.7438 - 1 | fabs) < 0.005'
fails "a text below one chunk is an error" 2 "$bin" perplexity smollm2 --file mail.csv --ctx 1024
fails "perplexity needs a text" 2 "$bin" perplexity smollm2
fails "an encoder has no perplexity" 6 "$bin" perplexity minilm --file "$root/LICENSE"
fails "messages must be JSON" 2 "$bin" template smollm2 --messages mail.csv
one_object "run --logprobs" "$bin" run smollm2 hi -n 3 --logprobs 2 --json
holds "each token has its own and the likeliest" "$json" '(.logprobs | length) == 3 and
    ([.logprobs[] | (.top | length) == 2 and .logprob <= .top[0].logprob + 1e-9] | all)'
fails "--logprobs needs --json" 2 "$bin" run smollm2 hi --logprobs 2
one_object "every sampling option" "$bin" run smollm2 hi -n 4 --temperature 0.8 --top-k 40 --top-p 0.9 --min-p 0.05 \
    --typical 0.95 --repeat-penalty 1.1 --presence-penalty 0.1 --frequency-penalty 0.1 --dry-multiplier 0.8 --seed 7 \
    --stop zzz --stop yyy --system "Be kind." --ctx 512 --json
again=$(jq -c .ids <<<"$json")
is "the same seed says the same" "$("$bin" run smollm2 hi -n 4 --temperature 0.8 --top-k 40 --top-p 0.9 --min-p 0.05 \
    --typical 0.95 --repeat-penalty 1.1 --presence-penalty 0.1 --frequency-penalty 0.1 --dry-multiplier 0.8 --seed 7 \
    --stop zzz --stop yyy --system "Be kind." --ctx 512 --json </dev/null | jq -c .ids)" "$again"
fails "a bound is said" 2 "$bin" run smollm2 hi --top-p 3
fails "an empty prompt is an error" 2 "$bin" run smollm2 ""
fails "above the context is an error" 2 "$bin" run smollm2 hi --ctx 32 -n 64
has "a pipe stands below the argument" "$(echo 'and this' | "$bin" run smollm2 --raw 'Say this' -n 1 --json | jq .prompt_tokens)" \
    "$("$bin" tokenize smollm2 $'Say this\n\nand this\n' --json | jq '.ids | length')"
model=$(readlink -f "$models"/smollm2/*.gguf)
one_object "a file is used where it lies" "$bin" run "$model" hi -n 1 --json
one_object "show" "$bin" show smollm2 --tensors --json
holds "counts parameters and tensors" "$json" '.parameters == 134515008 and .n_tensors == (.tensors | length)
    and .architecture == "llama" and .quantisation == "Q4_1" and .context == 8192 and .template'
holds "shapes are rows by columns" "$json" '.tensors[] | select(.name == "token_embd.weight") | .shape == [49152, 576]'
one_object "show of a folder" "$bin" show minilm --json
holds "counts its parameters" "$json" '.parameters == 22713216 and .architecture == "bert" and .width == 384'
fails "show fetches nothing" 4 "$bin" show qwen3-0.6b
"$bin" pull "$model" >/dev/null 2>&1
name=$("$bin" list --json | jq -r '.models[] | select(.path != null and (.name | startswith("smollm2-135m"))) | .name')
is "packed weights are kept once" "$(find "$BANTAM_HOME/cache" -name 'SmolLM2*.pack' | wc -l)" 1
has "rm forgets a file used in place" "$("$bin" rm "$name")" "stays where it lies"
is "and its packed weights" "$(find "$BANTAM_HOME/cache" -name 'SmolLM2*.pack' | wc -l)" 0
is "and leaves it there" "$([ -e "$model" ] && echo there)" there
fails "rm of what is not here exits 4" 4 "$bin" rm "$name"
one_object "doctor" "$bin" doctor --json
holds "says what the machine is" "$json" '.machine | .cores_allowed >= 1 and (.kernels | index("ref")) and .memory_bytes > 1e8'
is "and its features as the kernel names them" \
    "$(jq -r '.machine.features | index("avx2") != null' <<<"$json")" "$(grep -qw avx2 /proc/cpuinfo && echo true || echo false)"
holds "measures its limits" "$json" '.limits | .int8_gops > 1 and .read_gb_s > 0.1 and .int8_gops > .f32_gops'
holds "says which models fit" "$json" '[.models[] | select(.name == "qwen3-0.6b")][0] |
    .untried and (.measured | not) and .memory_bytes > 4e8 and .decode_tok_s > 0'
holds "an estimate is a share of the limits" "$json" '. as $d | [.models[] | select(.name == "llama3.2-1b")][0] |
    (.prefill_tok_s * 2 * 973146112 / 1e9 / $d.limits.int8_gops - $d.estimate_prefill_share | fabs) < 1e-6'
has "doctor says that it estimates" "$("$bin" doctor)" "Estimates are"
fails "ps without a server exits 4" 4 "$bin" ps
has "and says how to start one" "$(cat "$tmp/err")" "bantam serve"
fails "a missing adapter exits 4" 4 "$bin" run smollm2 hi --lora "$tmp/nosuch"
one_object "a draft model guesses" "$bin" run smollm2 "Say hello." -n 8 --draft "$model" --json
is "and changes no answer" "$(jq -c .ids <<<"$json")" "$one"
fails "an encoder does not generate" 6 "$bin" run minilm hi --max-tokens 1 --json
done_testing
