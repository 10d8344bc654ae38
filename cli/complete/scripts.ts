/** The scripts that shells load. They know nothing of the commands: at every press of the key they ask the program. */

/** The command that they ask; no person calls it. */
export const COMPLETE = '__complete';

// Words come apart at `=` and `:` in bash, so they are put together again, and what was before the last of these is taken
// off what is offered. Nothing from the answer is ever evaluated.
const BASH = `# bash completion for slipway. Load it with:  source <(slipway completion bash)
_slipway() {
  local -a words=()
  local rest=\${COMP_LINE:0:COMP_POINT} i part
  for ((i = 0; i <= COMP_CWORD; i++)); do
    part=\${COMP_WORDS[i]}
    if ((i == 0)) || [[ $rest == [[:space:]]* ]] || [[ -z $rest ]]; then
      words+=("")
      rest=\${rest#"\${rest%%[![:space:]]*}"}
    fi
    ((i == COMP_CWORD)) && part=$rest
    words[\${#words[@]} - 1]+=$part
    rest=\${rest#"$part"}
  done
  local current=\${words[\${#words[@]} - 1]} before= mark answer line
  for mark in = : @; do
    if [[ $COMP_WORDBREAKS == *$mark* && $current == *$mark* ]]; then
      part=\${current%"\${current##*"$mark"}"}
      ((\${#part} > \${#before})) && before=$part
    fi
  done
  answer=$(slipway ${COMPLETE} "\${words[@]:1}" 2>/dev/null) || return
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) ;;
      *)
        line=\${line%%$'\\t'*}
        COMPREPLY+=("\${line#"$before"}")
        ;;
    esac
  done <<<"$answer"
  case \${answer##*:} in *files*) compopt -o default ;; *folders*) compopt -o dirnames ;; esac
  case \${answer##*:} in *open*) compopt -o nospace ;; esac
}
complete -F _slipway slipway
`;

const ZSH = `#compdef slipway
# zsh completion for slipway. Load it with:  source <(slipway completion zsh)
# or put it into a folder of $fpath as _slipway.
_slipway() {
  local -a answer offers
  local line also word
  answer=("\${(@f)$(slipway ${COMPLETE} "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  also=\${answer[-1]}
  for line in "\${(@)answer[1,-2]}"; do
    word=\${line%%$'\\t'*}
    if [[ $line == *$'\\t'* ]]; then
      offers+=("\${word//:/\\\\:}:\${line#*$'\\t'}")
    else
      offers+=("\${word//:/\\\\:}")
    fi
  done
  if (( \${#offers} )); then
    if [[ $also == *open* ]]; then _describe -V slipway offers -S ''; else _describe -V slipway offers; fi
  fi
  case $also in
    *files*) _files ;;
    *folders*) _files -/ ;;
  esac
}
if [ "\${funcstack[1]}" = "_slipway" ]; then _slipway "$@"; else compdef _slipway slipway; fi
`;

const FISH = `# fish completion for slipway. Load it with:  slipway completion fish | source
# or keep it as ~/.config/fish/completions/slipway.fish.
function __slipway_offers
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in (slipway ${COMPLETE} $words[2..-1] "$current" 2>/dev/null)
    switch $line
      case ':*files*'
        __fish_complete_path "$current"
      case ':*folders*'
        __fish_complete_directories "$current"
      case ':*'
      case '*'
        printf '%s\\n' $line
    end
  end
end
complete -c slipway -f -k -a '(__slipway_offers)'
`;

export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
export type Shell = keyof typeof SCRIPTS;

/** By the names under which each shell looks for them. */
export const completionFiles = (): Record<string, string> => ({
  slipway: BASH,
  _slipway: ZSH,
  'slipway.fish': FISH,
});
