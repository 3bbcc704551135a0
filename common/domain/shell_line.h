// Where in a line for a shell a quoted word may be put in as a value, and stay one word that nothing runs.
//
// A value in single quotes is safe where a word may begin or go on, and nowhere else: within quotes of the line's own it would end
// them or be expanded, in arithmetic it is computed, in a here-document it is expanded. So a line is followed only as far as every
// shell reads it alike: words, both quotes, escapes, comments, $NAME and ${NAME}, ( ) and $( ). What begins a construct beside
// these (backquotes, <<, $((, ((, ${x:-...}, $'...', $$, a[...], [[, case, eval, a substitution within double quotes, an escaped end of line)
// is not followed, and nothing is put in after it.
// Source: POSIX.1-2017, Shell Command Language, 2.2 and 2.3.
// Thread rule: one thread.
#pragma once

#include <string>
#include <string_view>

namespace muster {

class ShellLine {
 public:
  // The next piece of the line. For a value that was put in: two single quotes.
  void Read(std::string_view piece);
  // Whether a quoted word may stand after what was read.
  bool TakesWord() const { return !lost_ && quote_ == 0 && !comment_ && pending_ == 0 && !in_name_; }

 private:
  void ReadOne(char c);
  // True: with what is pending it was taken.
  bool ReadPending(char c);
  void ReadPlain(char c);
  void ReadInDoubleQuotes(char c);
  void EndWord();
  void Open();  // a parenthesis

  bool lost_ = false;
  char quote_ = 0;           // ' or " that is open
  bool comment_ = false;
  char pending_ = 0;         // \ $ < ( that the next character may make something else of
  bool in_name_ = false;     // of ${NAME}
  bool begun_ = false;       // a word is
  std::string word_;         // it, its beginning
  int open_ = 0;             // parentheses
};

}  // namespace muster
