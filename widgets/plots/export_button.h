// The "Export" button of a plot view: save a picture, save or copy the values. Private to widgets/plots.
#pragma once

#include <QByteArray>
#include <QToolButton>
#include <functional>

namespace bitloom::widgets {

class ExportButton : public QToolButton {
    Q_OBJECT

  public:
    using Csv = std::function<QByteArray()>;
    /// Asks where to save; empty when the person cancels. The answer ends in a suffix of `filter`. Tests put
    /// their own in place.
    using PickFile = std::function<QString(QWidget* parent, const QString& title, const QString& filter)>;

    ExportButton(QWidget* view, Csv csv);

    void setPickFile(PickFile pickFile) { m_pickFile = std::move(pickFile); }

  Q_SIGNALS:
    /// Nothing was written; `message` names the file.
    void failed(const QString& message);

  private:
    void savePicture();
    void saveValues();

    QWidget* m_view;
    Csv m_csv;
    PickFile m_pickFile;
};

}  // namespace bitloom::widgets
